"""From running processes to a cluster that serves: ordered steps, each of which may be run again.

Every `ensure_*` answers whether it changed something, and looks before it acts: a bring-up that was stopped half-way
goes on from there, and one of a finished cluster changes nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from . import accounts, schema
from .connections import Client, Connections, Login, why
from .errors import ClusterError
from .observe import monitoring, observe
from .progress import Outcome, Progress
from .roles import ACCOUNTS, ADMIN, MONITOR, monitor_role, roles
from .secrets import Secrets
from .sets import Check, ensure_set, no_check, wait_reachable
from .together import together
from .topology import Cluster, ReplicaSet, Router
from .wait import NotReady, wait_until, wait_while

HEALTHY_TIMEOUT_S = 60
# Fresh sets may still be electing or copying when the first shard is added.
ADD_SHARD_TIMEOUT_S = 60

DEFAULT_CONCERN: dict[str, dict[str, Any]] = {
    "defaultReadConcern": {"level": "majority"},
    "defaultWriteConcern": {"w": "majority", "wtimeout": 0},
}


def prepare_config_set(cluster: Cluster, connections: Connections, progress: Progress, check: Check = no_check) -> None:
    """Initiates the config set and waits for its primary.

    It comes first: routers, and shards that restart, answer nobody before they have reached that primary. `check`
    raises when waiting for a member is in vain.

    Raises:
        ClusterError: a member does not answer, belongs elsewhere, or none is elected.
    """
    with _step(progress, "bring up the config set") as outcome:
        outcome.changed = ensure_set(cluster.config_set, connections, cluster.election_timeout_ms, check)


def prepare_shards(cluster: Cluster, connections: Connections, progress: Progress, check: Check = no_check) -> None:
    """Initiates every shard's set, side by side, and waits for their primaries.

    Raises:
        ClusterError: a member does not answer, belongs elsewhere, or none is elected.
    """
    with _step(progress, "bring up the shards") as outcome:
        changed = together(lambda s: ensure_set(s, connections, cluster.election_timeout_ms, check), cluster.shards)
        outcome.changed = any(changed)


def configure(
    cluster: Cluster,
    connections: Connections,
    secrets: Secrets,
    database: str,
    progress: Progress,
    check: Check = no_check,
) -> None:
    """Makes shards, defaults, users and collections what is declared. Needs primaries and running routers.

    Raises:
        ClusterError: a step was refused; those before it stay done.
    """
    with _step(progress, "create the monitoring user on every set") as outcome:
        changed = together(lambda s: ensure_monitor(connections.primary(s), secrets, database), cluster.sets)
        outcome.changed = any(changed)
    with _step(progress, "create roles and users") as outcome:
        # On the config set, which keeps them: a router lets nobody in as `__system`.
        outcome.changed = ensure_accounts(connections.primary(cluster.config_set), secrets, database)
    with Connections(Login(ADMIN.name, secrets.password(ADMIN.name))) as admin:
        _configure_through_routers(cluster, admin, database, progress, check)


def _configure_through_routers(
    cluster: Cluster, admin: Connections, database: str, progress: Progress, check: Check
) -> None:
    routers = admin.routers(cluster)
    with _step(progress, "reach every router"):
        together(lambda router: wait_router(admin.member(router), router, check), cluster.routers)
    with _step(progress, "add the shards") as outcome:
        outcome.changed = ensure_shards(routers, cluster.shards)
    with _step(progress, "set read and write concern to majority") as outcome:
        outcome.changed = ensure_default_concern(routers)
    with _step(progress, "shard and index the collections") as outcome:
        outcome.changed = schema.ensure_collections(routers, database)


def verify(cluster: Cluster, secrets: Secrets, database: str, progress: Progress) -> None:
    """Returns when status finds nothing wrong.

    Raises:
        WaitTimeout: it still does after a minute; it carries what.
    """
    with _step(progress, "check the whole cluster"), monitoring(secrets) as connections:
        wait_while("a healthy cluster", lambda: observe(cluster, connections, database).problem(), HEALTHY_TIMEOUT_S)


def ensure_monitor(primary: Client, secrets: Secrets, database: str) -> bool:
    """The account that status logs in with, on one set."""
    made_role = accounts.ensure_role(primary, monitor_role(database))
    return accounts.ensure_account(primary, MONITOR, secrets.password(MONITOR.name)) or made_role


def wait_router(client: Client, router: Router, check: Check) -> None:
    """Returns when the router serves.

    Raises:
        WaitTimeout: it does not within a minute.
        ClusterError: something else than a router answers there.
    """
    if wait_reachable(client, router, check).get("msg") != "isdbgrid":
        raise ClusterError(f"What answers at {router.address} is no router: stop it, or choose other ports.")


def ensure_shards(routers: Client, shards: tuple[ReplicaSet, ...]) -> bool:
    """Adds the shards that the cluster does not have yet."""
    present = {shard["_id"] for shard in routers.admin.command("listShards")["shards"]}
    missing = [shard for shard in shards if shard.name not in present]
    for shard in missing:
        add_shard(routers, shard)
    return bool(missing)


def add_shard(routers: Client, shard: ReplicaSet) -> None:
    """Adds one shard.

    Raises:
        WaitTimeout: the cluster could not reach it within a minute.
        OperationFailure: it was refused, e.g. because it belongs to another cluster.
    """

    def probe() -> None:
        try:
            routers.admin.command("addShard", shard.seed, name=shard.name)
        except OperationFailure as error:
            if not error.has_error_label("RetryableWriteError") and error.code not in NOT_YET_CODES:
                raise
            raise NotReady(why(error)) from error

    wait_until(f"{shard.name} to be added", probe, ADD_SHARD_TIMEOUT_S)


# HostUnreachable, FailedToSatisfyReadPreference, NetworkTimeout, PrimarySteppedDown, NotWritablePrimary: the set is
# between two states. https://www.mongodb.com/docs/manual/reference/error-codes/
NOT_YET_CODES = frozenset({6, 89, 133, 189, 10107})


def ensure_default_concern(routers: Client) -> bool:
    """Reads and writes that name no concern are `majority` ones: what was acknowledged survives a failover."""
    current = routers.admin.command("getDefaultRWConcern")
    if all(_same_concern(current.get(name), wanted) for name, wanted in DEFAULT_CONCERN.items()):
        return False
    routers.admin.command({"setDefaultRWConcern": 1, **DEFAULT_CONCERN})
    return True


def _same_concern(current: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    return all((current or {}).get(key) == value for key, value in wanted.items())


def ensure_accounts(client: Client, secrets: Secrets, database: str) -> bool:
    """Every declared role and account."""
    changed = [accounts.ensure_role(client, role) for role in roles(database)]
    changed += [accounts.ensure_account(client, account, secrets.password(account.name)) for account in ACCOUNTS]
    return any(changed)


@contextmanager
def _step(progress: Progress, title: str) -> Iterator[Outcome]:
    """A step whose driver errors become one sentence that names it."""
    try:
        with progress.step(title) as outcome:
            yield outcome
    except PyMongoError as error:
        raise ClusterError(f"Cannot {title} ({why(error)}): mend that, then run the same command again.") from error

"""From running processes to a cluster that serves: ordered steps, each of which may be run again.

Every `ensure_*` answers whether it changed something, and looks before it acts: a bring-up that was stopped half-way
goes on from there, and one of a finished cluster changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import PyMongoError

from . import accounts, schema
from .access_drift import DEFAULT_CONCERN, same_concern
from .connections import Client, Connections, account_login, why
from .errors import ClusterError
from .migrate.history import note_new_cluster
from .observe import monitoring, observe
from .progress import Outcome, Progress
from .roles import ACCOUNTS, ADMIN, MONITOR, monitor_role, roles
from .secrets import Secrets
from .sets import ensure_set, wait_reachable
from .shards import ensure_shards
from .survey import REACHABLE_TIMEOUT_S, Check, no_check
from .together import together
from .topology import Cluster, Router
from .wait import WaitTimeout, wait_while

HEALTHY_TIMEOUT_S = 60


def prepare_config_set(
    cluster: Cluster,
    connections: Connections,
    progress: Progress,
    check: Check = no_check,
    wait_s: float = REACHABLE_TIMEOUT_S,
) -> None:
    """Initiates the config set and waits for its primary.

    It comes first: routers, and shards that restart, answer nobody before they have reached that primary. `check`
    raises when waiting for a member is in vain.

    Raises:
        ClusterError: a member does not answer, belongs elsewhere, or none is elected.
    """
    with _step(progress, "bring up the config set") as outcome:
        outcome.changed = ensure_set(cluster.config_set, connections, cluster.election_timeout_ms, check, wait_s)


def prepare_shards(
    cluster: Cluster,
    connections: Connections,
    progress: Progress,
    check: Check = no_check,
    wait_s: float = REACHABLE_TIMEOUT_S,
) -> None:
    """Initiates every shard's set, side by side, and waits for their primaries.

    Raises:
        ClusterError: a member does not answer, belongs elsewhere, or none is elected.
    """
    with _step(progress, "bring up the shards") as outcome:
        changed = together(
            lambda shard: ensure_set(shard, connections, cluster.election_timeout_ms, check, wait_s), cluster.shards
        )
        outcome.changed = any(changed)


def configure(
    cluster: Cluster,
    connections: Connections,
    secrets: Secrets,
    database: str,
    progress: Progress,
    check: Check = no_check,
    wait_s: float = REACHABLE_TIMEOUT_S,
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
    login = account_login(secrets, ADMIN)
    with Connections(login) as admin:
        with _step(progress, "reach every router"):
            together(lambda r: wait_router(admin.member(r), r, check, wait_s), cluster.routers)
        with _step(progress, "add the shards") as outcome:
            outcome.changed = ensure_shards(admin.routers(cluster), cluster, connections)
        declare(admin.routers(cluster), database, progress)


def declare(routers: Client, database: str, progress: Progress) -> None:
    """Makes what every client sees, defaults and collections, what is declared.

    Raises:
        ClusterError: a step was refused; those before it stay done.
    """
    with _step(progress, "set read and write concern to majority") as outcome:
        outcome.changed = ensure_default_concern(routers)
    with _step(progress, "shard and index the collections") as outcome:
        note_new_cluster(routers, database)
        outcome.changed = schema.ensure_collections(routers, database)


def declare_through_routers(routers: Client, secrets: Secrets, database: str, progress: Progress) -> None:
    """As `configure`, for a cluster of which only the routers are known: its sets are somebody else's.

    Raises:
        ClusterError: a step was refused; those before it stay done.
    """
    with _step(progress, "create roles and users") as outcome:
        outcome.changed = ensure_accounts(routers, secrets, database)
    declare(routers, database, progress)


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
    login = account_login(secrets, MONITOR)
    return accounts.ensure_user(primary, login.username, MONITOR.role, login.password) or made_role


def wait_router(client: Client, router: Router, check: Check, wait_s: float) -> None:
    """Returns when the router serves.

    Raises:
        ClusterError: it does not within `wait_s` seconds, refuses the login, or is no router.
    """
    try:
        hello = wait_reachable(client, router, check, wait_s)
    except WaitTimeout as error:
        raise ClusterError(
            f"{router.name} at {router.address} did not answer within {wait_s:g} s ({error.last_seen}): "
            "start its mongos, and let this machine reach its port."
        ) from error
    if hello.get("msg") != "isdbgrid":
        raise ClusterError(f"What answers at {router.address} is no router: stop it, or choose other ports.")


def ensure_default_concern(routers: Client) -> bool:
    """Reads and writes that name no concern are `majority` ones: what was acknowledged survives a failover."""
    current = routers.admin.command("getDefaultRWConcern")
    if all(same_concern(current.get(name), wanted) for name, wanted in DEFAULT_CONCERN.items()):
        return False
    routers.admin.command({"setDefaultRWConcern": 1, **DEFAULT_CONCERN})
    return True


def ensure_accounts(client: Client, secrets: Secrets, database: str) -> bool:
    """Every declared role, and of every account the user that is in use."""
    changed = [accounts.ensure_role(client, role) for role in roles(database)]
    for account in ACCOUNTS:
        login = account_login(secrets, account)
        changed.append(accounts.ensure_user(client, login.username, account.role, login.password))
    return any(changed)


@contextmanager
def _step(progress: Progress, title: str) -> Iterator[Outcome]:
    """A step whose driver errors become one sentence that names it."""
    try:
        with progress.step(title) as outcome:
            yield outcome
    except PyMongoError as error:
        raise ClusterError(f"Cannot {title} ({why(error)}): mend that, then run the same command again.") from error

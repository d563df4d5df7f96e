"""One command of a client on its way: what it asks, until when, in which session, and calls to shards on its behalf."""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from bson import Binary

from .chunks import UNSHARDED_VERSION, Catalog, Database, Table
from .errors import CommandError, is_stale
from .shards import DEFAULT_LIMIT_S, INTERNAL_FIELDS, Grid, MemberError, Reply, Retry, checked

if TYPE_CHECKING:
    from .access import Login, PrivilegeCache
    from .cursors import Cursors
    from .server import ClientConnection, Connections
    from .transactions import Transaction, Transactions

# As mongos: how often a command is targeted anew before the staleness itself is the answer.
STALE_TRIES = 10
MAX_TIME_MS = 2**31 - 1
TRANSACTION_FIELDS = ("startTransaction", "autocommit", "txnNumber", "readConcern")


@dataclass
class Router:
    """What all connections share."""

    grid: Grid
    catalog: Catalog
    privileges: "PrivilegeCache"
    cursors: "Cursors"
    transactions: "Transactions"
    # For calls to several shards at once. Bounded: a scatter of many clients queues rather than spawning threads.
    workers: ThreadPoolExecutor
    connections: "Connections"
    address: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)
    test_commands: bool = False
    fail_points: dict[str, Any] = field(default_factory=dict)
    # Commands by name, and bytes by direction. Added up without a lock: a count that is lost now and then is no matter.
    counts: Counter[str] = field(default_factory=Counter)
    started_at: float = field(default_factory=time.time)


@dataclass
class Operation:
    """A command as it came, e.g. body `{"find": "tasks", "filter": <raw>, "$db": "shardboard"}`."""

    router: Router
    body: dict[str, Any]
    login: "Login"
    client: "ClientConnection | None" = None
    deadline: float = 0.0
    lsid: Mapping[str, Any] | None = None
    transaction: "Transaction | None" = None

    def __post_init__(self) -> None:
        limit_ms = self.body.get("maxTimeMS") if self.name != "getMore" else None
        if limit_ms is not None and (not isinstance(limit_ms, int | float) or not 0 <= limit_ms <= MAX_TIME_MS):
            raise CommandError("BadValue", f"maxTimeMS must be a number from 0 to {MAX_TIME_MS}")
        self.deadline = time.monotonic() + (float(limit_ms) / 1000 if limit_ms else DEFAULT_LIMIT_S)

    @property
    def session_uid(self) -> Binary:
        """What tells the sessions of users apart: as MongoDB, the SHA-256 of `name@db`."""
        return Binary(hashlib.sha256(self.login.identity.encode()).digest())

    @property
    def grid(self) -> Grid:
        return self.router.grid

    @property
    def catalog(self) -> Catalog:
        return self.router.catalog

    @property
    def name(self) -> str:
        return next(iter(self.body))

    @property
    def db(self) -> str:
        return str(self.body["$db"])

    @property
    def collection(self) -> str:
        """The collection that the command names in its first field.

        Raises: CommandError InvalidNamespace.
        """
        value = self.body[self.name]
        if not isinstance(value, str) or not value or "\0" in value:
            raise CommandError("InvalidNamespace", f"collection name has invalid type or is empty in {self.name}")
        return value

    @property
    def namespace(self) -> str:
        return f"{self.db}.{self.collection}"

    @property
    def is_retryable(self) -> bool:
        """Whether the shard can tell a repetition of this write from a new one."""
        return "txnNumber" in self.body and self.transaction is None

    def forwarded(self, **changes: Any) -> dict[str, Any]:
        """The command to pass on: without what only members may say, with the session marked as its user's."""
        body = {name: value for name, value in self.body.items() if name not in INTERNAL_FIELDS}
        if self.lsid is not None:
            body["lsid"] = self.lsid
        return {**body, "$db": self.db, **changes}

    def without_session(self, **changes: Any) -> dict[str, Any]:
        """As `forwarded`, without session and statement number: `cluster*` commands abort a mongod on a number."""
        body = self.forwarded(**changes)
        for name in ("lsid", *TRANSACTION_FIELDS[:3]):
            body.pop(name, None)
        return body

    def with_read_concern(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add the cluster's default read concern, where the client set none."""
        default = self.grid.default_read_concern()
        given = body.get("readConcern") or {}
        if default and "level" not in given and self.transaction is None:
            body["readConcern"] = {**default, **given}
        return body

    def with_write_concern(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add the cluster's default write concern, where the client set none; a transaction has it at its commit."""
        if self.transaction is None and not body.get("writeConcern"):
            body["writeConcern"] = self.grid.default_write_concern()
        return body

    # -- calls

    def on_shard(self, shard: str, body: dict[str, Any], where: Table | Database, retry: Retry) -> Reply:
        """A direct statement to a shard's primary, always with the version that the router believes in.

        Without it, a shard that has given the range away answers `n: 1` and the document is lost.
        """
        body = {**body, **versions(shard, where)}
        if self.transaction is None:
            return self.grid.call(self.grid.shard(shard), body, self.deadline, retry)
        return self.transaction.run(self, shard, body)

    def through_cluster(self, body: dict[str, Any]) -> Reply:
        """A `cluster*` command, on some shard's primary: MongoDB's own router code."""
        shard = self.grid.any_shard(self.deadline)
        retry = Retry.NOT_APPLIED if next(iter(body)) in WRITES_THROUGH_CLUSTER else Retry.IDEMPOTENT
        reply = self.grid.call(shard, body, self.deadline, retry)
        # The member tells of its own last operation; what it wrote elsewhere may be later. As mongos: cluster time.
        reply["operationTime"] = self.grid.clock.now
        return reply

    def on_config(self, body: dict[str, Any], retry: Retry = Retry.NOT_APPLIED) -> Reply:
        """A command to the config servers' primary."""
        return self.grid.call(self.grid.config, body, self.deadline, retry)

    def retargeted(self, attempt: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Run `attempt`, again while shards say that the chunk table is stale. In a transaction only once."""
        for _ in range(STALE_TRIES):
            reply = attempt()
            if not is_stale(reply) or self.transaction is not None:
                return reply
            self.catalog.forget(self.namespace)
        return reply

    def where_is(self, create: bool = False) -> Table | Database | None:
        """The command's collection: its chunk table, else its database; None when even that does not exist."""
        table = self.catalog.table(self.namespace)
        if table is not None:
            return table
        return self.catalog.ensure_database(self.db) if create else self.catalog.database(self.db)

    def fan_out(self, calls: Sequence[Callable[[], Reply]]) -> list[Reply]:
        """Replies of independent calls, in order; one alone runs in this thread."""
        if len(calls) == 1:
            return [call() for call in calls]
        return [future.result() for future in [self.router.workers.submit(call) for call in calls]]

    def scatter(
        self, body: dict[str, Any], where: Table | Database, shards: Sequence[str], retry: Retry = Retry.IDEMPOTENT
    ) -> list[Reply]:
        """The `ok: 1` replies of several shards to one command.

        Raises: MemberError for the first that is not.
        """
        calls = [partial(self.on_shard, shard, body, where, retry) for shard in shards]
        if self.transaction is not None:
            return [checked(call()) for call in calls]
        return [checked(reply) for reply in self.fan_out(calls)]


WRITES_THROUGH_CLUSTER = ("clusterInsert", "clusterUpdate", "clusterDelete", "clusterAggregate")


def versions(shard: str, where: Table | Database) -> dict[str, Any]:
    """The fields by which a shard checks that the router is not out of date."""
    if isinstance(where, Table):
        return {"shardVersion": where.shard_version(shard)}
    return {"shardVersion": UNSHARDED_VERSION, "databaseVersion": where.version}


def owners(where: Table | Database, query: Mapping[str, Any], collation: Any = None) -> list[str]:
    """The shards where a filter's matches can be. A collation makes equality mean something else than the key does."""
    if isinstance(where, Database):
        return [where.primary]
    return where.shards if collation else where.shards_for(query)


def latest(replies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The latest `operationTime` of several replies."""
    times = [reply["operationTime"] for reply in replies if "operationTime" in reply]
    return {"operationTime": max(times)} if times else {}


def reply_of(attempt: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """The reply of an attempt, also when it is a member's `ok: 0`."""
    try:
        return dict(attempt())
    except MemberError as error:
        return error.reply

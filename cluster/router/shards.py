"""The cluster as a router sees it: the config set, the shards, and calls to them with the retries of a mongos."""

import itertools
import logging
import random
import threading
import time
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from bson import Binary, Int64, Timestamp

from . import wire
from .clock import Clock
from .errors import GOING_AWAY, NETWORK, NOT_PRIMARY, CommandError, code_of
from .members import REPLY_SLACK_S, Connection, NotSent, ReplicaSet
from .tls import Tls

log = logging.getLogger(__name__)

# kMaxNumFailedHostRetryAttempts of mongos: tries after the first one.
RETRIES = 3
# A command without a limit of its own: metadata commands and writes may take long, but not for ever.
DEFAULT_LIMIT_S = 600.0
# Reading metadata of the config servers.
METADATA_LIMIT_S = 15.0
MAJORITY = {"w": "majority"}
# What only routers and members say to each other. Calls run as `__system`, so a client must not be able to say it.
INTERNAL_FIELDS = frozenset({
    "shardVersion", "databaseVersion", "stmtId", "stmtIds", "coordinator", "needsMerge", "fromMongos", "$audit",
    "$impersonatedUsers", "$impersonatedRoles", "$configServerState", "$configTime", "$topologyTime", "$replData",
    "$oplogQueryData", "$queryOptions", "$client", "$clusterTime", "$db", "$readPreference", "$tenant",
    "isTimeseriesNamespace", "bypassEmptyTsReplacement", "mayBypassWriteBlocking",
})  # fmt: skip
REPLY_INTERNALS = ("$gleStats", "$configServerState", "$configTime", "$topologyTime", "$replData", "$oplogQueryData",
                   "lastCommittedOpTime", "electionId", "opTime")  # fmt: skip


# Members take a time from `__system` as it is.
NOT_SIGNED = {"hash": Binary(bytes(20)), "keyId": Int64(0)}


class Retry(Enum):
    """What may be sent again."""

    NEVER = "never"
    NOT_APPLIED = "only what surely was not applied"
    IDEMPOTENT = "anything: the shard tells a repeated statement, or nothing is changed"


class Reply(dict[str, Any]):
    """What a member answered, and which: a cursor must be continued there."""

    def __init__(self, fields: Mapping[str, Any], where: ReplicaSet, address: str) -> None:
        super().__init__(fields)
        self.where, self.address = where, address


class Grid:
    """The sets of one cluster. Thread-safe."""

    def __init__(self, configdb: str, key: str, tls: Tls | None = None) -> None:
        self._key, self.tls = key, tls
        self._lock = threading.Lock()
        self._defaults: dict[str, Any] = {}
        self._turn = itertools.count(random.randrange(1000))
        self.shards: dict[str, ReplicaSet] = {}
        self.config = ReplicaSet(configdb, key, tls)
        self.clock = Clock(lambda: self.config_find("system.keys", {"purpose": "HMAC"}, "admin"))

    # -- membership

    def load_shards(self, as_of: Timestamp | None = None, limit_s: float = METADATA_LIMIT_S) -> None:
        """Read `config.shards`, at cluster time `as_of` or later, and keep one ReplicaSet for each."""
        found = {shard["_id"]: shard["host"] for shard in self.config_find("shards", {}, as_of=as_of, limit_s=limit_s)}
        with self._lock:
            gone = [self.shards.pop(name) for name in list(self.shards) if name not in found]
            for name, host in found.items():
                if name not in self.shards:
                    log.info("shard %s at %s", name, host)
                    self.shards[name] = ReplicaSet(host, self._key, self.tls)
        for shard in gone:
            log.info("shard set %s is gone", shard.name)
            shard.close()

    def shard(self, name: str) -> ReplicaSet:
        """The set of a shard id.

        Raises: CommandError ShardNotFound.
        """
        if name not in self.shards:
            self.load_shards()
        try:
            return self.shards[name]
        except KeyError:
            raise CommandError("ShardNotFound", f"Shard {name} not found") from None

    def any_shard(self, deadline: float) -> ReplicaSet:
        """Some shard that has a primary, in turn; its router code serves the `cluster*` commands."""
        if not self.shards:
            self.load_shards()
        shards = list(self.shards.values())
        if not shards:
            raise CommandError("ShardNotFound", "No shards found")
        first = next(self._turn)
        for shard in (shards[(first + n) % len(shards)] for n in range(len(shards))):
            if shard.primary is not None:
                return shard
        shards[0].wait_primary(deadline)
        return shards[0]

    # -- calls

    def call(self, where: ReplicaSet, body: dict[str, Any], deadline: float, retry: Retry = Retry.NOT_APPLIED) -> Reply:
        """The reply of the set's primary, `ok: 0` or not; errors of members pass through unchanged.

        `deadline` is in monotonic seconds.

        Raises: CommandError when no member answered: HostUnreachable, MaxTimeMSExpired, or
        FailedToSatisfyReadPreference (never sent).
        """
        failed: str | None = None
        for attempt in itertools.count():
            address = where.wait_primary(deadline, other_than=failed)
            try:
                reply = self.call_member(where, address, body, deadline)
            except NotSent as error:
                if attempt >= RETRIES:
                    raise CommandError("HostUnreachable", str(error)) from error
                failed = address
                continue
            except wire.ConnectionLost as error:
                if retry is not Retry.IDEMPOTENT or attempt >= RETRIES:
                    raise CommandError("HostUnreachable", f"connection to {address} was lost: {error}") from error
                failed = address
                continue
            if attempt < RETRIES and self._may_repeat(code_of(reply), retry):
                failed = address
                continue
            return reply
        raise AssertionError("unreachable")

    @staticmethod
    def _may_repeat(code: int, retry: Retry) -> bool:
        if retry is Retry.IDEMPOTENT:
            return code in NOT_PRIMARY | GOING_AWAY | NETWORK
        return retry is Retry.NOT_APPLIED and code in NOT_PRIMARY

    def call_member(self, where: ReplicaSet, address: str, body: dict[str, Any], deadline: float) -> Reply:
        """One call to one member, no retry. Raises: ConnectionLost, CommandError MaxTimeMSExpired."""
        body = self._stamped(body, deadline)
        try:
            reply = where.pool(address).call(body, max(deadline - time.monotonic(), 0.001) + REPLY_SLACK_S)
        except TimeoutError as error:
            raise CommandError("MaxTimeMSExpired", f"no answer from {address} in time") from error
        self._learn(reply)
        for name in REPLY_INTERNALS:
            reply.pop(name, None)
        return Reply(reply, where, address)

    def _stamped(self, body: dict[str, Any], deadline: float) -> dict[str, Any]:
        body = dict(body)
        if self.clock.now is not None:
            body["$clusterTime"] = {"clusterTime": self.clock.now, "signature": NOT_SIGNED}
        # In a getMore, maxTimeMS is how long to wait for something new.
        if "maxTimeMS" in body and "getMore" not in body and "clusterGetMore" not in body:
            left_ms = int((deadline - time.monotonic()) * 1000)
            if left_ms <= 0:
                raise CommandError("MaxTimeMSExpired", "operation exceeded time limit")
            body["maxTimeMS"] = left_ms
        return body

    def config_call(self, body: dict[str, Any], deadline: float | None = None, retry: Retry = Retry.NOT_APPLIED
                    ) -> Reply:  # fmt: skip
        """A call to the config servers' primary; the reply is `ok: 1`.

        Raises: CommandError, MemberError (its `reply` is what the member said).
        """
        body.setdefault("$db", "admin")
        reply = self.call(self.config, body, deadline or time.monotonic() + DEFAULT_LIMIT_S, retry)
        checked(reply)
        return reply

    def config_find(
        self,
        collection: str,
        query: dict[str, Any],
        database: str = "config",
        as_of: Timestamp | None = None,
        limit_s: float = METADATA_LIMIT_S,
    ) -> list[Mapping[str, Any]]:
        """Documents of a (small) collection of the config servers, read at majority."""
        concern: dict[str, Any] = {"level": "majority"}
        if as_of is not None:
            concern["afterClusterTime"] = as_of
        reply = self.config_call(
            {"find": collection, "filter": query, "$db": database, "readConcern": concern, "batchSize": 100_000,
             "singleBatch": True},
            time.monotonic() + limit_s,
            Retry.IDEMPOTENT,
        )  # fmt: skip
        return list(reply["cursor"]["firstBatch"])

    # -- what replies teach

    def _learn(self, reply: dict[str, Any]) -> None:
        seen = reply.pop("$clusterTime", None)
        if seen is not None:
            self.clock.advance(seen["clusterTime"])

    # -- default read and write concern

    def default_write_concern(self) -> Mapping[str, Any]:
        """What a write without a write concern gets; `cluster*` and direct calls apply no default themselves."""
        return self._defaults.get("defaultWriteConcern") or MAJORITY

    def default_read_concern(self) -> Mapping[str, Any] | None:
        return self._defaults.get("defaultReadConcern")

    def refresh_defaults(self) -> None:
        """Read the defaults anew. Raises: CommandError, MemberError; the known ones stay."""
        deadline = time.monotonic() + METADATA_LIMIT_S
        self._defaults = self.config_call({"getDefaultRWConcern": 1}, deadline, Retry.IDEMPOTENT)

    def connection(self, address: str, key: str | None = None) -> Connection:
        """A connection of its own, for a client's login. With `key=""` it is not logged in."""
        return Connection(address, self._key if key is None else key, self.tls)

    def close(self) -> None:
        for where in [self.config, *self.shards.values()]:
            where.close()


AnyReply = TypeVar("AnyReply", bound=dict[str, Any])


class MemberError(Exception):
    """A member answered `ok: 0`; `reply` is passed on as it is."""

    def __init__(self, reply: dict[str, Any]) -> None:
        super().__init__(f"{reply.get('codeName')}: {reply.get('errmsg')}")
        self.reply = reply


def checked(reply: AnyReply) -> AnyReply:
    """The reply, if it says `ok: 1`. Raises: MemberError."""
    if not reply.get("ok"):
        raise MemberError(reply)
    return reply

"""insert, update, delete, findAndModify.

A write that the driver may repeat carries a `txnNumber` and goes straight to the owning shards, which remember its
statements. One that carries none goes through MongoDB's own router code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import bson
from bson import ObjectId
from bson.raw_bson import RawBSONDocument

from .chunks import Database, Table
from .errors import GOING_AWAY, NOT_PRIMARY, STALE, CommandError
from .keys import UnsupportedKey
from .operation import STALE_TRIES, Operation, latest, owners
from .shards import MemberError, Reply, Retry
from .wire import RAW, SEQUENCES

CLUSTER_NAMES = {"insert": "clusterInsert", "update": "clusterUpdate", "delete": "clusterDelete"}
MAX_STATEMENTS = 100_000
# A client may fill a message; a member's must also hold a version, and a number for each statement.
MAX_BATCH_BYTES = 32_000_000

Batch = tuple[tuple[str, ...], list[int]]


def write(op: Operation) -> dict[str, Any]:
    """insert, update or delete."""
    items = op.body.get(SEQUENCES[op.name])
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_STATEMENTS:
        raise CommandError("InvalidOptions", f"Write batch sizes must be between 1 and {MAX_STATEMENTS}")
    if op.name == "insert":
        items = [document if "_id" in document else _with_id(document) for document in items]
    if op.db in ("config", "admin"):
        return op.on_config(
            op.with_write_concern(op.forwarded()), Retry.IDEMPOTENT if op.is_retryable else Retry.NOT_APPLIED
        )
    if op.transaction is None and not op.is_retryable:
        body = op.with_write_concern(op.without_session())
        name = CLUSTER_NAMES[op.name]
        return op.through_cluster({name: op.collection, **{k: v for k, v in body.items() if k != op.name}})
    return _Batches(op, items).run()


def _with_id(document: RawBSONDocument) -> RawBSONDocument:
    return RawBSONDocument(bson.encode({"_id": ObjectId(), **document}, codec_options=RAW), RAW)


@dataclass
class _Batches:
    """A write split by shard, and its answers put together again under the client's own indexes."""

    op: Operation
    items: Sequence[Mapping[str, Any]]
    counts: dict[str, int] = field(default_factory=dict)
    upserted: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    retried: list[int] = field(default_factory=list)
    replies: list[Mapping[str, Any]] = field(default_factory=list)
    concern_error: Any = None

    @property
    def ordered(self) -> bool:
        return self.op.body.get("ordered") is not False

    def run(self) -> dict[str, Any]:
        pending = list(range(len(self.items)))
        for _ in range(STALE_TRIES):
            where = self.op.where_is(create=True)
            assert where is not None  # noqa: S101  create=True
            pending = self._round(where, pending)
            if not pending:
                return self._merged()
            self.op.catalog.forget(self.op.namespace)
        raise CommandError("StaleConfig", f"{self.op.namespace} kept moving while {self.op.name} was being routed")

    def _round(self, where: Table | Database, pending: list[int]) -> list[int]:
        """Send what is pending; answers the indexes that met a stale version."""
        stale: list[int] = []
        batches = self._grouped(where, pending)
        if not self.ordered and self.op.transaction is None:
            calls = [partial(self._send, where, *batch) for batch in batches]
            for (_, indexes), reply in zip(batches, self.op.fan_out(calls), strict=True):
                stale += self._take(indexes, reply)
            return sorted(set(stale))
        done: set[int] = set()
        for shards, indexes in batches:
            stale = self._take(indexes, self._send(where, shards, indexes))
            if stale:
                return [index for index in pending if index not in done and index >= stale[0]]
            done.update(indexes)
            if self.errors:
                return []
        return []

    def _grouped(self, where: Table | Database, pending: list[int]) -> list[Batch]:
        """Batches as `(shards, indexes)`: runs of one shard when ordered, else as few as may be for each shard.

        One document that may be on any of several shards is a batch of its own: the first that has it is the last.
        """
        batches: list[Batch] = []
        latest_of: dict[tuple[str, ...], tuple[list[int], int]] = {}
        for index in pending:
            item = self.items[index]
            for shards in self._targets(where, item):
                size = len(item.raw) if isinstance(item, RawBSONDocument) else 0
                last, filled = latest_of.get(shards, ([], 0))
                is_last = last and (not self.ordered or batches[-1][1] is last)
                if not is_last or len(shards) > 1 or filled + size > MAX_BATCH_BYTES:
                    last, filled = [], 0
                    batches.append((shards, last))
                last.append(index)
                latest_of[shards] = last, filled + size
        return batches

    def _targets(self, where: Table | Database, item: Mapping[str, Any]) -> list[tuple[str, ...]]:
        """Who is sent a statement; of a tuple only one, whichever has the document."""
        if isinstance(where, Database):
            return [(where.primary,)]
        if self.op.name == "insert":
            return [(_shard_of(where, item),)]
        query, collation = item["q"], item.get("collation")
        is_multi = item.get("multi") or (self.op.name == "delete" and item.get("limit") == 0)
        if item.get("upsert") and not where.pins_whole_key(query):
            raise CommandError("ShardKeyNotFound", "upsert on a sharded collection must name the whole shard key "
                               f"({', '.join(where.fields)})")  # fmt: skip
        shards = owners(where, query, collation)
        by_id = "_id" in query and not collation
        if len(shards) > 1 and not is_multi and not by_id:
            raise CommandError("InvalidOptions", f"{self.op.name} of one document on a sharded collection must contain "
                               f"an exact match on _id or on the shard key ({', '.join(where.fields)})")  # fmt: skip
        return [tuple(shards)] if shards and not is_multi else [(shard,) for shard in shards]

    def _send(self, where: Table | Database, shards: tuple[str, ...], indexes: list[int]) -> Reply:
        """The first reply that says something: a shard that has become stale since the one before says so."""
        body = self.op.with_write_concern(self.op.forwarded())
        body[SEQUENCES[self.op.name]] = [self.items[index] for index in indexes]
        if self.op.is_retryable:
            body["stmtIds"] = indexes
        retry = Retry.IDEMPOTENT if self.op.is_retryable else Retry.NEVER
        for shard in shards:
            reply = self.op.on_shard(shard, body, where, retry)
            if reply.get("n") or reply.get("writeErrors") or not reply.get("ok"):
                break
        return reply

    def _take(self, indexes: list[int], reply: Reply) -> list[int]:
        """Add a reply up; answers the indexes in it that must be sent again: the range, or the primary, has moved."""
        if not reply.get("ok"):
            if reply.get("code") in STALE and self.op.transaction is None:
                return indexes
            raise MemberError(reply)
        self.replies.append(reply)
        stale = []
        for error in reply.get("writeErrors", ()):
            if error["code"] in STALE and self.op.transaction is None:
                stale.append(indexes[error["index"]])
            elif error["code"] in NOT_PRIMARY | GOING_AWAY and self.op.is_retryable:
                reply.where.wait_primary(self.op.deadline, other_than=reply.address)
                stale.append(indexes[error["index"]])
            else:
                self.errors.append({**error, "index": indexes[error["index"]]})
        for name in ("n", "nModified"):
            if name in reply:
                self.counts[name] = self.counts.get(name, 0) + reply[name]
        self.upserted += [{**up, "index": indexes[up["index"]]} for up in reply.get("upserted", ())]
        self.retried += list(reply.get("retriedStmtIds", ()))
        self.concern_error = reply.get("writeConcernError", self.concern_error)
        return stale

    def _merged(self) -> dict[str, Any]:
        merged: dict[str, Any] = {"n": 0, **self.counts}
        if self.upserted:
            merged["upserted"] = sorted(self.upserted, key=lambda up: up["index"])
        if self.errors:
            merged["writeErrors"] = sorted(self.errors, key=lambda error: error["index"])
        if self.concern_error is not None:
            merged["writeConcernError"] = self.concern_error
        if self.retried:
            merged["retriedStmtIds"] = sorted(self.retried)
        for reply in self.replies:
            for name in ("recoveryToken", "errorLabels"):
                if name in reply:
                    merged[name] = reply[name]
        return {**merged, "ok": 1.0, **latest(self.replies)}


def _shard_of(where: Table, document: Mapping[str, Any]) -> str:
    try:
        return where.shard_of(document)
    except UnsupportedKey as error:
        raise CommandError("ShardKeyNotFound", f"the shard key ({', '.join(where.fields)}) of a document cannot be "
                           f"placed: {error}") from error  # fmt: skip


def find_and_modify(op: Operation) -> dict[str, Any]:
    """`findAndModify`: on one shard, so its query must name the whole shard key."""
    if op.db in ("config", "admin"):
        return op.on_config(op.with_write_concern(op.forwarded()))
    retry = Retry.IDEMPOTENT if op.is_retryable else Retry.NOT_APPLIED

    def attempt() -> dict[str, Any]:
        where = op.where_is(create=bool(op.body.get("upsert")))
        if where is None:
            return {"lastErrorObject": {"n": 0, "updatedExisting": False}, "value": None, "ok": 1.0}
        query = op.body.get("query") or {}
        if isinstance(where, Table) and (op.body.get("collation") or not where.pins_whole_key(query)):
            raise CommandError("ShardKeyNotFound", "Query for sharded findAndModify must contain the shard key "
                               f"({', '.join(where.fields)})")  # fmt: skip
        return op.on_shard(owners(where, query)[0], op.with_write_concern(op.forwarded()), where, retry)

    return op.retargeted(attempt)

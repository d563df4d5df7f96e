"""Sizes and counts over the shards: collStats, dbStats, validate."""

from collections.abc import Iterable, Mapping
from typing import Any

from .chunks import Table
from .errors import CommandError
from .operation import Operation, reply_of
from .shards import MemberError, Retry, checked


def collection_stats(op: Operation) -> dict[str, Any]:
    """`collStats`, summed over the owning shards."""

    def attempt() -> dict[str, Any]:
        where = op.where_is()
        if where is None:
            raise CommandError("NamespaceNotFound", f"{op.namespace} not found")
        shards = where.shards if isinstance(where, Table) else [where.primary]
        replies = op.scatter(op.forwarded(), where, shards)
        sums = {name: sum(reply.get(name, 0) for reply in replies) for name in
                ("count", "size", "storageSize", "totalIndexSize", "totalSize", "numOrphanDocs")}  # fmt: skip
        parts = dict(zip(shards, replies, strict=True))
        sums["avgObjSize"] = sums["size"] * int(op.body.get("scale") or 1) // max(sums["count"], 1)
        whole = {name: replies[0][name] for name in ("capped", "scaleFactor", "nindexes") if name in replies[0]}
        if not isinstance(where, Table):
            whole["primary"] = where.primary
        return {"sharded": isinstance(where, Table), "ns": op.namespace, **sums, **whole,
                "indexSizes": _added(reply.get("indexSizes") or {} for reply in replies),
                "nchunks": len(where.lows) if isinstance(where, Table) else 1, "shards": parts, "ok": 1.0}  # fmt: skip

    return op.retargeted(lambda: reply_of(attempt))


def _added(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Numbers by name, added up."""
    sums: dict[str, int] = {}
    for part in parts:
        for name, number in part.items():
            sums[name] = sums.get(name, 0) + number
    return sums


def database_stats(op: Operation) -> dict[str, Any]:
    """`dbStats`, summed over the shards."""
    body = op.without_session()
    parts = {}
    for name, shard in op.grid.shards.items():
        parts[shard.name or name] = checked(op.grid.call(shard, body, op.deadline, Retry.IDEMPOTENT))
    names = ("collections", "views", "objects", "dataSize", "storageSize", "indexes", "indexSize", "totalSize")
    sums = {name: sum(part.get(name, 0) for part in parts.values()) for name in names}
    average = sums["dataSize"] * int(op.body.get("scale") or 1) / max(sums["objects"], 1)
    return {"raw": parts, "db": op.db, **sums, "avgObjSize": average, "ok": 1.0}


def validate(op: Operation) -> dict[str, Any]:
    """`validate` on every owning shard."""
    where = op.where_is()
    if where is None:
        raise CommandError("NamespaceNotFound", f"{op.namespace} not found")
    shards = where.shards if isinstance(where, Table) else [where.primary]
    parts = {}
    for shard in shards:
        reply = op.grid.call(op.grid.shard(shard), op.without_session(), op.deadline)
        if not reply.get("ok"):
            raise MemberError(reply)
        parts[shard] = reply
    return {"valid": all(part["valid"] for part in parts.values()), "raw": parts, "ok": 1.0}

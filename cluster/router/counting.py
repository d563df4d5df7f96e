"""count and distinct: asked of every owning shard and put together here; over a view, aggregated."""

from collections.abc import Callable, Sequence
from typing import Any

from .errors import CODES
from .keys import ordered
from .operation import Operation, latest, owners, reply_of
from .reads import through_cluster
from .shards import Retry, checked

# Distinct values of a view over a sharded collection: as many as one reply holds.
MAX_VIEW_ROWS = 1_000_000


def count(op: Operation) -> dict[str, Any]:
    """`count`: the sum over the owning shards, then skip and limit."""
    if op.db in ("config", "admin", "local"):
        return op.on_config(op.forwarded(), Retry.IDEMPOTENT)
    skip, limit = int(op.body.get("skip") or 0), abs(int(op.body.get("limit") or 0))

    def attempt() -> dict[str, Any]:
        where = op.where_is()
        if where is None:
            return {"n": 0, "ok": 1.0}
        body = op.with_read_concern(op.forwarded())
        body.pop("skip", None)
        if limit:
            body["limit"] = limit + skip
        replies = op.scatter(body, where, owners(where, op.body.get("query") or {}, op.body.get("collation")))
        total = max(sum(reply.get("n", 0) for reply in replies) - skip, 0)
        return {"n": min(total, limit) if limit else total, "ok": 1.0, **latest(replies)}

    return _or_of_view(op, op.retargeted(lambda: reply_of(attempt)), _counted)


def distinct(op: Operation) -> dict[str, Any]:
    """`distinct`: the union over the owning shards, sorted as values sort."""
    if op.db in ("config", "admin", "local"):
        return op.on_config(op.forwarded(), Retry.IDEMPOTENT)

    def attempt() -> dict[str, Any]:
        where = op.where_is()
        if where is None:
            return {"values": [], "ok": 1.0}
        body = op.with_read_concern(op.forwarded())
        replies = op.scatter(body, where, owners(where, op.body.get("query") or {}, op.body.get("collation")))
        return {"values": _union([reply["values"] for reply in replies]), "ok": 1.0, **latest(replies)}

    return _or_of_view(op, op.retargeted(lambda: reply_of(attempt)), _distinguished)


def _or_of_view(
    op: Operation, reply: dict[str, Any], run: Callable[[Operation, str, list[Any]], dict[str, Any]]
) -> dict[str, Any]:
    """The reply, or `run` on what a view of a sharded collection stands for: a shard leaves that to the router."""
    if reply.get("code") != CODES["CommandOnShardedViewNotSupportedOnMongod"]:
        return reply
    view = reply["resolvedView"]
    return run(op, str(view["ns"]).partition(".")[2], list(view["pipeline"]))


def _counted(op: Operation, collection: str, pipeline: list[Any]) -> dict[str, Any]:
    skip, limit = int(op.body.get("skip") or 0), abs(int(op.body.get("limit") or 0))
    stages = [{"$match": op.body.get("query") or {}}]
    stages += [{name: number} for name, number in (("$skip", skip), ("$limit", limit)) if number]
    found = _aggregated(op, collection, [*pipeline, *stages, {"$count": "n"}])
    return {"n": found[0]["n"] if found else 0, "ok": 1.0}


def _distinguished(op: Operation, collection: str, pipeline: list[Any]) -> dict[str, Any]:
    field = f"${op.body['key']}"
    stages: list[Any] = [{"$match": op.body.get("query") or {}}, {"$match": {field[1:]: {"$exists": True}}}]
    stages += [{"$unwind": {"path": field, "preserveNullAndEmptyArrays": True}}, {"$group": {"_id": field}}]
    return {"values": [row["_id"] for row in _aggregated(op, collection, pipeline + stages)], "ok": 1.0}


def _aggregated(op: Operation, collection: str, pipeline: list[Any]) -> list[Any]:
    body = {"aggregate": collection, "pipeline": pipeline, "cursor": {"batchSize": MAX_VIEW_ROWS}, "$db": op.db}
    for name in ("collation", "readConcern", "maxTimeMS", "comment"):
        if name in op.body:
            body[name] = op.body[name]
    reply = checked(through_cluster(Operation(op.router, body, op.login), "clusterAggregate"))
    return list(reply["cursor"]["firstBatch"])


def _union(lists: Sequence[Sequence[Any]]) -> list[Any]:
    if len(lists) == 1:
        return list(lists[0])
    found: dict[Any, Any] = {}
    for value in (value for values in lists for value in values):
        found.setdefault(ordered(value), value)
    return [found[place] for place in sorted(found)]

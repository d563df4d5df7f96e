"""find and aggregate.

A find that one shard can answer goes straight to it; every other read goes through MongoDB's own router code.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import merge, streams
from .chunks import Database, Table
from .continuing import keep_cursor
from .errors import CommandError
from .operation import Operation, owners, versions
from .shards import Retry


def find(op: Operation) -> dict[str, Any]:
    """`find`."""
    if op.db in ("config", "admin", "local"):
        return keep_cursor(op, op.on_config(op.forwarded(), Retry.IDEMPOTENT))
    if op.transaction is None and not _reads_primary(op):
        return through_cluster(op, "clusterFind")

    def attempt() -> dict[str, Any]:
        where = op.where_is()
        shards = _shards_of_find(op, where)
        if isinstance(where, Table) and op.transaction is not None and len(shards) > 1:
            return merge.find(op, where, list(shards))
        if where is None or len(shards) != 1:
            return _several(op)
        body = op.with_read_concern(op.forwarded())
        return keep_cursor(op, op.on_shard(shards[0], body, where, Retry.IDEMPOTENT), versions(shards[0], where))

    return op.retargeted(attempt)


def _reads_primary(op: Operation) -> bool:
    preference = op.body.get("$readPreference") or {}
    return preference.get("mode", "primary") in ("primary", "primaryPreferred")


def _shards_of_find(op: Operation, where: Table | Database | None) -> Sequence[str]:
    if where is None or (isinstance(where, Database) and op.transaction is None):
        return ()
    return owners(where, op.body.get("filter") or {}, op.body.get("collation"))


def _several(op: Operation) -> dict[str, Any]:
    if op.transaction is not None:
        raise CommandError("OperationNotSupportedInTransaction", f"{op.name} on {op.namespace} needs several shards: "
                           "inside a transaction the stand-in router reads one shard at a time; name the shard key in "
                           "the filter, or use a real mongos")  # fmt: skip
    return through_cluster(op, "clusterFind")


def through_cluster(op: Operation, name: str) -> dict[str, Any]:
    """Run a read as `name` in a session of the router's own, which lives as long as its cursor."""
    session = op.router.cursors.borrow_session()
    body = op.without_session(lsid=session)
    if not reads_local_state(op.body.get("pipeline")):
        body = op.with_read_concern(body)
    body = {name: body.pop(op.name), **body}
    if "$readPreference" in op.body:
        body["$readPreference"] = op.body["$readPreference"]
    kept = False
    try:
        reply = op.through_cluster(body)
        kept = bool(reply.get("ok")) and bool(reply.get("cursor", {}).get("id"))
        return keep_cursor(op, reply, session=session) if kept else reply
    finally:
        if not kept:
            op.router.cursors.give_back(session)


def aggregate(op: Operation) -> dict[str, Any]:
    """`aggregate`."""
    pipeline = op.body.get("pipeline")
    if not isinstance(pipeline, list):
        raise CommandError("TypeMismatch", "'pipeline' option must be specified as an array")
    if streams.is_change_stream(pipeline) and op.transaction is None:
        return streams.open_stream(op)
    if op.db in ("config", "local") or (op.db == "admin" and op.body["aggregate"] != 1):
        return keep_cursor(op, op.on_config(op.forwarded(), Retry.IDEMPOTENT))
    if op.transaction is not None:
        return _aggregate_in_transaction(op, pipeline)
    if writes_out(pipeline):
        op.with_write_concern(op.body)
    return through_cluster(op, "clusterAggregate")


# What a member says of itself: no default read concern goes with it.
LOCAL_STATE = ("$currentOp", "$listLocalSessions", "$planCacheStats")


def reads_local_state(pipeline: Any) -> bool:
    """Whether a pipeline begins with a stage that reads no documents."""
    return bool(pipeline) and next(iter(pipeline[0]), "") in LOCAL_STATE


def writes_out(pipeline: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a pipeline ends in `$out` or `$merge`."""
    return bool(pipeline) and next(iter(pipeline[-1]), "") in ("$out", "$merge")


def _aggregate_in_transaction(op: Operation, pipeline: list[Mapping[str, Any]]) -> dict[str, Any]:
    where = op.where_is()
    first = pipeline[0].get("$match") if pipeline else None
    shards = owners(where, first or {}, op.body.get("collation")) if where is not None else ()
    if where is None or len(shards) != 1:
        return _several(op)
    return keep_cursor(op, op.on_shard(shards[0], op.forwarded(), where, Retry.NEVER), versions(shards[0], where))

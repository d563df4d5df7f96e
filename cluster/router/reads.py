"""find, aggregate, count, distinct, explain, and the cursors they leave open.

A find that one shard can answer goes straight to it; every other read goes through MongoDB's own router code.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument

from . import merge, streams
from .chunks import Database, Table
from .cursors import Cursor
from .errors import CODES, CommandError
from .keys import UnsupportedKey
from .operation import TRANSACTION_FIELDS, Operation, latest, owners, versions
from .shards import MemberError, Reply, Retry, checked
from .wire import ConnectionLost

GET_MORE_LIMIT_S = 60.0
# Distinct values of a view over a sharded collection: as many as one reply holds.
MAX_VIEW_ROWS = 1_000_000


def find(op: Operation) -> dict[str, Any]:
    """`find`."""
    if op.db in ("config", "admin", "local"):
        return _keep_cursor(op, op.on_config(op.forwarded(), Retry.IDEMPOTENT))
    if op.transaction is None and not _reads_primary(op):
        return _through_cluster(op, "clusterFind")

    def attempt() -> dict[str, Any]:
        where = op.where_is()
        shards = _shards_of_find(op, where)
        if isinstance(where, Table) and op.transaction is not None and len(shards) > 1:
            return merge.find(op, where, list(shards))
        if where is None or len(shards) != 1:
            return _several(op)
        body = op.with_read_concern(op.forwarded())
        return _keep_cursor(op, op.on_shard(shards[0], body, where, Retry.IDEMPOTENT), versions(shards[0], where))

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
    return _through_cluster(op, "clusterFind")


def _through_cluster(op: Operation, name: str) -> dict[str, Any]:
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
        return _keep_cursor(op, reply, session=session) if kept else reply
    finally:
        if not kept:
            op.router.cursors.give_back(session)


def _keep_cursor(
    op: Operation, reply: Reply, version: Mapping[str, Any] | None = None, session: Mapping[str, Any] | None = None
) -> Reply:
    """Remember where a reply's cursor lives, if it has one."""
    cursor = reply.get("cursor") if reply.get("ok") else None
    if cursor and cursor["id"]:
        op.router.cursors.add(
            Cursor(
                cursor["id"],
                cursor["ns"],
                op.login.identity,
                reply.where,
                reply.address,
                version or {},
                session,
                op.lsid,
            )
        )
    return reply


def get_more(op: Operation) -> dict[str, Any]:
    """`getMore`, on the member that holds the cursor."""
    cursor = op.router.cursors.find(op.body["getMore"], op.login.identity)
    if cursor.namespace.partition(".")[2] != op.body["collection"]:
        raise CommandError("Unauthorized", f"Requested getMore on {op.db}.{op.body['collection']}, but the "
                           f"cursor belongs to a different namespace, {cursor.namespace}")  # fmt: skip
    if isinstance(cursor, streams.ChangeStream):
        return streams.get_more(op, cursor)
    if cursor.lsid != op.lsid:
        raise CommandError(
            "Location50738", f"Cannot run getMore on cursor {cursor.id}, which was created in another session"
        )
    wait_ms = op.body.get("maxTimeMS")
    op.deadline = time.monotonic() + GET_MORE_LIMIT_S + (wait_ms / 1000 if wait_ms else 0)
    if cursor.session is not None:
        body = op.without_session(lsid=cursor.session)
        body = {"clusterGetMore": body.pop("getMore"), **body}
    else:
        body = op.forwarded()
    if op.transaction is not None:
        body = {**body, "autocommit": False, "txnNumber": op.body["txnNumber"]}
    body.pop("maxTimeMS", None)
    if wait_ms:
        body["maxTimeMS"] = wait_ms
    reply = _from_member(op, cursor, body)
    if not reply.get("ok") or not reply["cursor"]["id"]:
        op.router.cursors.remove(cursor.id)
    return reply


def _from_member(op: Operation, cursor: Cursor, body: dict[str, Any]) -> Reply:
    try:
        return op.grid.call_member(cursor.shard, cursor.address, body, op.deadline)
    except ConnectionLost as error:
        op.router.cursors.remove(cursor.id)
        raise CommandError("HostUnreachable", f"the member that held cursor {cursor.id} is gone: {error}") from error


def kill_cursors(op: Operation) -> dict[str, Any]:
    """`killCursors`; a cursor of a `cluster*` command ends with its session."""
    killed, unknown = [], []
    for cursor_id in op.body.get("cursors") or []:
        try:
            cursor = op.router.cursors.find(cursor_id, op.login.identity)
        except CommandError as error:
            if error.name != "CursorNotFound":
                raise
            unknown.append(cursor_id)
            continue
        close_cursor(op, cursor)
        killed.append(cursor_id)
    return {"cursorsKilled": killed, "cursorsNotFound": unknown, "cursorsAlive": [], "cursorsUnknown": [], "ok": 1.0}


def close_cursor(op: Operation, cursor: Cursor | streams.ChangeStream) -> None:
    """Free a cursor on its member, best effort: a member that is gone has freed it already."""
    op.router.cursors.remove(cursor.id)
    if isinstance(cursor, streams.ChangeStream):
        cursor.close(op)
        return
    if cursor.session is not None:
        body: dict[str, Any] = {"killSessions": [cursor.session], "$db": "admin"}
    else:
        db, _, collection = cursor.namespace.partition(".")
        body = {"killCursors": collection, "cursors": [cursor.id], "$db": db}
        if op.lsid is not None:
            body["lsid"] = op.lsid
    try:
        op.grid.call_member(cursor.shard, cursor.address, body, time.monotonic() + 2.0)
    except (ConnectionLost, CommandError):
        return


def aggregate(op: Operation) -> dict[str, Any]:
    """`aggregate`."""
    pipeline = op.body.get("pipeline")
    if not isinstance(pipeline, list):
        raise CommandError("TypeMismatch", "'pipeline' option must be specified as an array")
    if streams.is_change_stream(pipeline) and op.transaction is None:
        return streams.open_stream(op)
    if op.db in ("config", "local") or (op.db == "admin" and op.body["aggregate"] != 1):
        return _keep_cursor(op, op.on_config(op.forwarded(), Retry.IDEMPOTENT))
    if op.transaction is not None:
        return _aggregate_in_transaction(op, pipeline)
    if writes_out(pipeline):
        op.with_write_concern(op.body)
    return _through_cluster(op, "clusterAggregate")


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
    return _keep_cursor(op, op.on_shard(shards[0], op.forwarded(), where, Retry.NEVER), versions(shards[0], where))


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
        replies = scatter_or_stale(op, body, where, owners(where, op.body.get("query") or {}, op.body.get("collation")))
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
        replies = scatter_or_stale(op, body, where, owners(where, op.body.get("query") or {}, op.body.get("collation")))
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
    reply = checked(_through_cluster(Operation(op.router, body, op.login), "clusterAggregate"))
    return list(reply["cursor"]["firstBatch"])


def scatter_or_stale(op: Operation, body: dict[str, Any], where: Table | Database, shards: Sequence[str]) -> Any:
    """As `Operation.scatter`; in a transaction, shard after shard."""
    return op.scatter(body, where, shards)


def reply_of(attempt: Any) -> dict[str, Any]:
    """The reply of an attempt, also when it is a member's `ok: 0`."""
    try:
        return dict(attempt())
    except MemberError as error:
        return error.reply


def _union(lists: Sequence[Sequence[Any]]) -> list[Any]:
    from .keys import ordered

    if len(lists) == 1:
        return list(lists[0])
    found: dict[Any, Any] = {}
    for value in (value for values in lists for value in values):
        try:
            found.setdefault(ordered(value), value)
        except UnsupportedKey:
            raw = value.raw if isinstance(value, RawBSONDocument) else repr(value)
            found.setdefault((20, raw), value)
    return [found[place] for place in sorted(found)]


# Not update and delete: a member that is asked to explain clusterUpdate asks itself, again and again, until it runs out
# of files and dies.
EXPLAINED_BY_ROUTER_CODE = {"find": "clusterFind", "aggregate": "clusterAggregate"}


def explain(op: Operation) -> dict[str, Any]:
    """`explain`: which shards, and their plans."""
    inner = dict(op.body["explain"].items())
    name = next(iter(inner))
    verbosity = {"verbosity": op.body.get("verbosity", "allPlansExecution")}
    for field in (*TRANSACTION_FIELDS, "lsid", "$db", "writeConcern"):
        inner.pop(field, None)
    if op.db in ("config", "admin", "local"):
        return op.on_config({"explain": inner, **verbosity, "$db": op.db}, Retry.IDEMPOTENT)
    if name in EXPLAINED_BY_ROUTER_CODE:
        command = {EXPLAINED_BY_ROUTER_CODE[name]: inner.pop(name), **inner}
        return op.through_cluster({"explain": command, **verbosity, "$db": op.db})
    return _explain_direct(op, name, inner, verbosity)


WRITE_STATEMENTS = {"update": "updates", "delete": "deletes"}


def _query_of(name: str, inner: Mapping[str, Any]) -> tuple[Mapping[str, Any], Any]:
    """The filter of a command that is explained, and its collation. Of several statements none can be explained."""
    if name not in WRITE_STATEMENTS:
        return inner.get("query") or {}, inner.get("collation")
    statements = inner.get(WRITE_STATEMENTS[name])
    if not isinstance(statements, list) or len(statements) != 1 or not isinstance(statements[0].get("q"), Mapping):
        raise CommandError("InvalidOptions", "explain needs exactly one statement")
    return statements[0]["q"], statements[0].get("collation")


def _explain_direct(op: Operation, name: str, inner: dict[str, Any], verbosity: dict[str, Any]) -> dict[str, Any]:
    """Plans of commands that only shards explain, under the stage that a mongos would name."""
    table = op.catalog.table(f"{op.db}.{inner[name]}")
    where = table or op.catalog.database(op.db)
    if where is None:
        raise CommandError("NamespaceNotFound", f"database {op.db} does not exist")
    query, collation = _query_of(name, inner)
    if name.lower() == "findandmodify" and isinstance(where, Table) and not where.pins_whole_key(query):
        raise CommandError("ShardKeyNotFound", "Query for sharded findAndModify must contain the shard key")
    shards = owners(where, query, collation)
    plans, stats = [], []
    for shard in shards:
        body = {"explain": inner, **verbosity, "$db": op.db, **versions(shard, where)}
        reply = checked(op.grid.call(op.grid.shard(shard), body, op.deadline, Retry.IDEMPOTENT))
        plan = dict(reply["queryPlanner"].items())
        plans.append({"shardName": shard, "connectionString": op.grid.shard(shard).name, **plan})
        stats.append(reply.get("executionStats") or {})
    writes = name in WRITE_STATEMENTS
    stage = "SHARD_WRITE" if writes else "SINGLE_SHARD" if len(shards) == 1 else "SHARD_MERGE"
    planner = {"mongosPlannerVersion": 1, "winningPlan": {"stage": stage, "shards": plans}}
    return {"queryPlanner": planner, **_summed(stage, shards, stats), "ok": 1.0}


def _summed(stage: str, shards: Sequence[str], stats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`executionStats` over the shards; nothing when only the plan was asked for."""
    if not any(stats):
        return {}
    names = ("nReturned", "totalKeysExamined", "totalDocsExamined")
    sums = {name: sum(part.get(name, 0) for part in stats) for name in names}
    parts = [{"shardName": shard, **dict(part.items())} for shard, part in zip(shards, stats, strict=True)]
    slowest_ms = max(part.get("executionTimeMillis", 0) for part in stats)
    stages = {"stage": stage, "shards": parts}
    return {"executionStats": {**sums, "executionTimeMillis": slowest_ms, "executionStages": stages}}

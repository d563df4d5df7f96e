"""explain: which shards a command goes to, and their plans."""

from collections.abc import Mapping, Sequence
from typing import Any

from .chunks import Table
from .errors import CommandError
from .operation import TRANSACTION_FIELDS, Operation, owners, versions
from .shards import Retry, checked

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

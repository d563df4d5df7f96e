"""Where a command of a named query went: the router itself is asked, by `explain`.

https://www.mongodb.com/docs/manual/reference/command/explain/
"""

from typing import Any

from cluster.collections import BY_NAME

from ..db import Document
from ..services import services

# What `explain` does not take, or takes for itself.
NOT_EXPLAINED = frozenset(
    ("lsid", "txnNumber", "startTransaction", "autocommit", "$db", "$clusterTime", "$readPreference")
    + ("readConcern", "writeConcern", "maxTimeMS", "comment")
)


def route_of(command: Document) -> str:
    """`targeted shard-2`, or `scatter 2/2`: as many of the shards that hold a part of the collection."""
    shards = _shards(_explainable(command))
    if len(shards) == 1:
        return f"targeted {shards.pop()}"
    collection = next(iter(command.values()))
    return f"scatter {len(shards)}/{len(_shards({'find': collection, 'filter': {}}))}"


def _explainable(command: Document) -> Document:
    kind, collection = next(iter(command.items()))
    if kind != "insert":
        return {name: value for name, value in command.items() if name not in NOT_EXPLAINED}
    # An insert cannot be explained, but it goes where its shard key leads.
    keys = BY_NAME[collection].shard_key_fields
    wanted = [{key: document[key] for key in keys} for document in command["documents"]]
    return {"find": collection, "filter": wanted[0] if len(wanted) == 1 else {"$or": wanted}}


def _shards(command: Document) -> set[str]:
    explained: dict[str, Any] = services().connection.database.command("explain", command, verbosity="queryPlanner")
    # An aggregation tells its shards in a place of its own.
    if "shards" in explained:
        return set(explained["shards"])
    return {shard["shardName"] for shard in explained["queryPlanner"]["winningPlan"]["shards"]}

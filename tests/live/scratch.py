"""A sharded collection of its own for a test, and what tests ask about its ranges."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure

from cluster.local import LocalCluster
from cluster.roles import ADMIN

DATABASE = "router_tests"
HASHED_ID = {"_id": "hashed"}
BY_OWNER = {"owner_id": "hashed", "_id": 1}


@contextmanager
def sharded(client: MongoClient[Any], key: Mapping[str, Any] = HASHED_ID) -> Iterator[Collection[Any]]:
    """A new collection sharded by `key`, dropped afterwards."""
    name = f"c_{uuid.uuid4().hex[:12]}"
    client.admin.command("enableSharding", DATABASE)
    client.admin.command("shardCollection", f"{DATABASE}.{name}", key=dict(key))
    collection = client[DATABASE][name]
    try:
        yield collection
    finally:
        _drop(collection)


def _drop(collection: Collection[Any]) -> None:
    """Drop it; once more when a connection from before a test's fault was in the pool: drivers repeat no drop."""
    try:
        collection.drop()
    except ConnectionFailure:
        collection.drop()


def chunks(client: MongoClient[Any], collection: Collection[Any]) -> list[dict[str, Any]]:
    """The chunks of a collection, as the config servers have them (by UUID from 5.0 on, by name before)."""
    meta = client.config["collections"].find_one({"_id": collection.full_name})
    return list(client.config["chunks"].find({"$or": [{"uuid": meta["uuid"]}, {"ns": collection.full_name}]}))


def shards_of(client: MongoClient[Any]) -> list[str]:
    """Shard ids, e.g. `["shard-1", "shard-2"]`."""
    return sorted(shard["_id"] for shard in client.admin.command("listShards")["shards"])


def owner_of(collection: Collection[Any], query: Mapping[str, Any]) -> str:
    """The one shard that a filter goes to."""
    plan = collection.find(query).explain()["queryPlanner"]["winningPlan"]
    assert plan["stage"] == "SINGLE_SHARD", plan["stage"]
    return str(plan["shards"][0]["shardName"])


def ids_on(collection: Collection[Any], shard: str, count: int) -> list[ObjectId]:
    """New ids whose documents belong to one shard of a collection that is sharded by its hashed id."""
    found: list[ObjectId] = []
    while len(found) < count:
        candidate = ObjectId()
        if owner_of(collection, {"_id": candidate}) == shard:
            found.append(candidate)
    return found


def one_id_each(client: MongoClient[Any], collection: Collection[Any]) -> list[ObjectId]:
    """An id for each shard, in the order of the shards' names."""
    return [ids_on(collection, shard, 1)[0] for shard in shards_of(client)]


def move_chunk(client: MongoClient[Any], collection: Collection[Any], chunk: Mapping[str, Any], to: str) -> None:
    """Move a chunk to a shard; `moveChunk` with bounds is known to every version."""
    bounds = [chunk["min"], chunk["max"]]
    client.admin.command("moveChunk", collection.full_name, bounds=bounds, to=to)


def router_client(cluster: LocalCluster, number: int) -> MongoClient[Any]:
    """A client of one router only, who may do everything."""
    return MongoClient(cluster.cluster.routers[number].address, **cluster.login(ADMIN).options())

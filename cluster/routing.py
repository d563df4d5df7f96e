"""What only a router knows: shards, ranges, zones, the balancer, and what each shard holds of each collection."""

from collections.abc import Mapping
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from .collections import COLLECTIONS
from .connections import Client
from .status import CollectionStatus, Holding, Routing, Zone
from .topology import Cluster

# All of it together: with a shard away some of it cannot be had, and the picture is due.
ROUTING_TIMEOUT_S = 1.8

Chunks = Mapping[str, Mapping[str, int]]


def read_routing(router: Client, cluster: Cluster | None, database: str) -> Routing:
    """What can be had in time; numbers that a shard did not give are None.

    Raises:
        PyMongoError: not even the config servers answer in time.
    """
    with pymongo.timeout(ROUTING_TIMEOUT_S):
        shards = router.admin.command("listShards")["shards"]
        chunks = _chunks(router, database)
        zones, settings = _zones(router, shards), _balancer_settings(router)
        busy = bool(router.admin.command("balancerStatus").get("inBalancerRound"))
        present = _present(router, database)
        names = tuple(sorted(shard["_id"] for shard in shards))
        return Routing(
            shards=names,
            draining=tuple(shard["_id"] for shard in shards if shard.get("draining")),
            missing_shards=tuple(
                shard.name for shard in (cluster.shards if cluster else ()) if shard.name not in names
            ),
            missing_collections=_missing(present, chunks),
            collections=tuple(
                _collection(router, database, name, chunks.get(name))
                for name in sorted(chunks if present is None else present)
            ),
            balancer_on=not settings.get("stopped") and settings.get("mode") != "off",
            balancer_busy=busy,
            balancer_window=_window(settings),
            zones=zones,
        )


def _present(router: Client, database: str) -> frozenset[str] | None:
    """The names of the collections; None when the shard that knows them does not answer."""
    try:
        names = {found["name"] for found in router[database].list_collections(nameOnly=True)}
    except PyMongoError:
        return None
    return frozenset(name for name in names if "system." not in name)


def _missing(present: frozenset[str] | None, chunks: Chunks) -> tuple[str, ...]:
    if present is None:
        return tuple(c.name for c in COLLECTIONS if c.is_sharded and c.name not in chunks)
    return tuple(c.name for c in COLLECTIONS if c.name not in present or (c.is_sharded and c.name not in chunks))


def _balancer_settings(router: Client) -> Mapping[str, Any]:
    """Nothing is stored until somebody switches the balancer off or gives it hours."""
    return router["config"]["settings"].find_one({"_id": "balancer"}) or {}


def _window(settings: Mapping[str, Any]) -> str | None:
    """`23:00 to 06:00`, in the time zone of the config set's primary."""
    window = settings.get("activeWindow")
    return f"{window['start']} to {window['stop']}" if window else None


def _zones(router: Client, shards: list[dict[str, Any]]) -> tuple[Zone, ...]:
    ranges: dict[str, dict[str, int]] = {}
    for found in router["config"]["tags"].find():
        of_zone = ranges.setdefault(found["tag"], {})
        of_zone[found["ns"]] = of_zone.get(found["ns"], 0) + 1
    names = sorted(ranges.keys() | {tag for shard in shards for tag in shard.get("tags", ())})
    return tuple(
        Zone(
            name,
            tuple(sorted(shard["_id"] for shard in shards if name in shard.get("tags", ()))),
            tuple(sorted(ranges.get(name, {}).items())),
        )
        for name in names
    )


def _chunks(router: Client, database: str) -> dict[str, dict[str, int]]:
    """Ranges by shard, by sharded collection."""
    config = router["config"]
    found = config["collections"].find({"_id": {"$gt": f"{database}.", "$lt": f"{database}/"}})
    # 4.4 keeps dropped collections here, marked.
    sharded = [collection for collection in found if not collection.get("dropped")]
    # Since 5.0 chunks name their collection by its UUID, before by its name.
    names = {
        collection.get(key): collection["_id"].partition(".")[2] for collection in sharded for key in ("uuid", "_id")
    }
    counts: dict[str, dict[str, int]] = {name: {} for name in names.values()}
    group = {"_id": {"collection": {"$ifNull": ["$uuid", "$ns"]}, "shard": "$shard"}, "count": {"$sum": 1}}
    for row in config["chunks"].aggregate([{"$group": group}]):
        name = names.get(row["_id"]["collection"])
        if name is not None:
            counts[name][row["_id"]["shard"]] = row["count"]
    return counts


def _collection(router: Client, database: str, name: str, chunks: Mapping[str, int] | None) -> CollectionStatus:
    try:
        rows = list(router[database][name].aggregate([{"$collStats": {"storageStats": {}}}]))
    except PyMongoError:
        unknown = (Holding(shard, count, None, None) for shard, count in (chunks or {}).items())
        return CollectionStatus(name, chunks is not None, tuple(sorted(unknown, key=lambda held: held.shard)))
    holdings = (_holding(row, chunks or {}) for row in rows)
    return CollectionStatus(name, chunks is not None, tuple(sorted(holdings, key=lambda held: held.shard)))


def _holding(row: dict[str, Any], chunks: Mapping[str, int]) -> Holding:
    stats = row["storageStats"]
    documents = int(stats.get("count", 0)) - int(stats.get("numOrphanDocs", 0))
    return Holding(row["shard"], chunks.get(row["shard"], 0), documents, int(stats.get("size", 0)))

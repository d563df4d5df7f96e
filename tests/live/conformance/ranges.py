"""Shards, sharded collections, ranges, zones, the balancer."""

from collections.abc import Sequence
from typing import Any

from bson import MaxKey, MinKey

from .row import DB, Reply, admin, ask, fields, has, refused, row, size
from .stage import MISSING, PLAIN, SCRATCH, SHARDED

FIRST = "cursor.firstBatch"
NS, NEW = f"{DB}.{SHARDED}", f"{DB}.{SCRATCH}"
ELSEWHERE = f"{DB}_other"
SHARDS = admin({"listShards": 1}, {"shards": fields("_id", "host", "state")})
MAKE = admin({"shardCollection": NEW, "key": {"k": 1}}, {"collectionsharded": NEW})


def shard(answers: Sequence[Reply], number: int) -> str:
    """A shard's name, of an answer to SHARDS that came first."""
    return sorted(found["_id"] for found in answers[0]["shards"])[number]


def seeds(answers: Sequence[Reply]) -> str:
    return str(answers[0]["shards"][0]["host"])


def on_shards(command: str, of: str, **options: Any) -> Any:
    """A command whose `$0` and `$1` are the names of the first two shards, and `$host` the first one's members."""

    def made(answers: Sequence[Reply]) -> dict[str, Any]:
        known = {"$0": shard(answers, 0), "$1": shard(answers, 1), "$host": seeds(answers)}
        return {name: known.get(value, value) if isinstance(value, str) else value
                for name, value in {command: of, **options}.items()}  # fmt: skip

    return made


SHARDING = (
    row(
        "listShards: names, hosts, states",
        admin(
            {"listShards": 1},
            {"shards": lambda found: len(found) == 2 and all(s["state"] == 1 and "/" in s["host"] for s in found)},
        ),
    ),
    row("listShards: only on admin", ask({"listShards": 1}, refused(13))),
    row("getShardMap: hosts of every set", admin({"getShardMap": 1}, {"map": has("config")})),
    row("addShard: one that is there already", SHARDS, admin(on_shards("addShard", of="$host"), {"shardAdded": str})),
    row("addshard: the same in small letters", SHARDS, admin(on_shards("addshard", of="$host"), {"shardAdded": str})),
    row(
        "addShard: bad shapes",
        admin({"addShard": 1}, refused(9, 14)),
        admin({"addShard": "no such host"}, refused(9, 2, 96, 6, 7, 72, 133)),
    ),
    row(
        "removeShard: no such shard",
        admin({"removeShard": "none"}, refused(70)),
        admin({"removeShard": 1}, refused(14)),
    ),
    row(
        "flushRouterConfig: read anew",
        admin({"flushRouterConfig": 1}, {"flushed": True}),
        admin({"flushRouterConfig": NS}, {"flushed": True}),
    ),
    row(
        "enableSharding: once and again",
        admin({"enableSharding": ELSEWHERE}),
        admin({"enableSharding": ELSEWHERE}),
        ask({"dropDatabase": 1}, {}, ELSEWHERE),
    ),
    row(
        "enableSharding: on a shard of choice",
        SHARDS,
        admin(on_shards("enableSharding", of=ELSEWHERE, primaryShard="$1")),
        ask(
            {"find": "databases", "filter": {"_id": ELSEWHERE}},
            {FIRST: lambda found: found[0]["primary"].endswith("2")},
            "config",
        ),
        admin(on_shards("enableSharding", of=ELSEWHERE, primaryShard="$0"), refused(48)),
        ask({"dropDatabase": 1}, {}, ELSEWHERE),
    ),
    row(
        "enableSharding: bad shapes",
        admin({"enableSharding": 1}, refused(14, 73)),
        admin({"enableSharding": ""}, refused(73)),
        admin({"enableSharding": "a.b"}, refused(73)),
        admin({"enableSharding": ELSEWHERE, "primaryShard": "none"}, refused(70)),
    ),
    row("enableSharding: never admin", admin({"enableSharding": "admin"}, refused(20, 73, 72))),
    row(
        "movePrimary: to the other and back",
        ask({"insert": "x", "documents": [{"_id": 1}]}, {"n": 1}, ELSEWHERE),
        SHARDS,
        admin(lambda a: {"movePrimary": ELSEWHERE, "to": shard(a[1:], 0)}),
        admin(lambda a: {"movePrimary": ELSEWHERE, "to": shard(a[1:], 1)}),
        ask({"count": "x"}, {"n": 1}, ELSEWHERE),
        ask({"dropDatabase": 1}, {}, ELSEWHERE),
    ),
    row(
        "movePrimary: bad shapes",
        admin({"movePrimary": DB, "to": "none"}, refused(70)),
        admin({"movePrimary": DB}, refused(2, 9, 14, 40414)),
        admin({"movePrimary": "config", "to": "x"}, refused(72)),
    ),
    row("shardCollection: once and again", MAKE, MAKE, changes=True),
    row(
        "shardCollection: never by another key",
        MAKE,
        admin({"shardCollection": NEW, "key": {"other": 1}}, refused(20, 23)),
        changes=True,
    ),
    row(
        "shardCollection: hashed, spread at once",
        admin({"shardCollection": NEW, "key": {"_id": "hashed"}, "numInitialChunks": 8}),
        ask({"insert": SCRATCH, "documents": [{"_id": n} for n in range(50)]}, {"n": 50}),
        ask({"aggregate": SCRATCH, "pipeline": [{"$collStats": {"count": {}}}], "cursor": {}}, {FIRST: size(2)}),
        changes=True,
    ),
    row(
        "shardCollection: unique",
        admin({"shardCollection": NEW, "key": {"k": 1}, "unique": True}),
        ask({"insert": SCRATCH, "documents": [{"k": 1}, {"k": 1}]}, {"n": 1, "writeErrors.0.code": 11000}),
        changes=True,
    ),
    row(
        "shardCollection: one that holds documents needs an index",
        ask({"insert": SCRATCH, "documents": [{"k": 1}]}),
        admin({"shardCollection": NEW, "key": {"k": 1}}, refused(72)),
        ask({"createIndexes": SCRATCH, "indexes": [{"key": {"k": 1}, "name": "k_1"}]}),
        MAKE,
        ask({"count": SCRATCH}, {"n": 1}),
        changes=True,
    ),
    row(
        "shardCollection: hashed cannot be unique",
        admin({"shardCollection": NEW, "key": {"k": "hashed"}, "unique": True}, refused(72)),
        changes=True,
    ),
    row(
        "shardCollection: bad shapes",
        admin({"shardCollection": NEW}, refused(2, 9, 14, 40414)),
        admin({"shardCollection": NEW, "key": {}}, refused(2)),
        admin({"shardCollection": "x", "key": {"k": 1}}, refused(73)),
        admin({"shardCollection": NEW, "key": {"k": -1}}, refused(2)),
        admin({"shardCollection": NEW, "key": 1}, refused(14)),
        admin({"shardCollection": 1, "key": {"k": 1}}, refused(2, 14, 73)),
    ),
    row("shardCollection: only on admin", ask({"shardCollection": NEW, "key": {"k": 1}}, refused(13))),
    row(
        "reshardCollection: of nothing",
        admin({"reshardCollection": f"{DB}.{MISSING}", "key": {"x": 1}}, refused(26, 118)),
        since=(5, 0),
    ),
    row(
        "refineCollectionShardKey: a longer key",
        MAKE,
        ask({"createIndexes": SCRATCH, "indexes": [{"key": {"k": 1, "x": 1}, "name": "both"}]}),
        admin({"refineCollectionShardKey": NEW, "key": {"k": 1, "x": 1}}),
        ask({"find": "collections", "filter": {"_id": NEW}}, {f"{FIRST}.0.key": {"k": 1, "x": 1}}, "config"),
        ask({"insert": SCRATCH, "documents": [{"k": 1, "x": 2}]}, {"n": 1}),
        ask({"count": SCRATCH}, {"n": 1}),
        changes=True,
    ),
    row(
        "refineCollectionShardKey: no other key",
        admin({"refineCollectionShardKey": NS, "key": {"x": 1}}, refused(72)),
        admin({"refineCollectionShardKey": f"{DB}.{PLAIN}", "key": {"k": 1}}, refused(118)),
    ),
)

RANGES = (
    row(
        "split: at a key",
        MAKE,
        admin({"split": NEW, "middle": {"k": 10}}),
        admin({"split": NEW, "middle": {"k": 20}}),
        ask({"collStats": SCRATCH}, {"nchunks": 3}),
        changes=True,
    ),
    row(
        "split: where a key lies",
        admin({"split": NS, "find": {"k": 2}}),
        admin({"mergeChunks": NS, "bounds": [{"k": MinKey()}, {"k": 5}]}),
    ),
    row("split: at a key that is a bound", admin({"split": NS, "middle": {"k": 5}}, refused(None, 2, 9, 20, 72, 96))),
    row("split: unsharded", admin({"split": f"{DB}.{PLAIN}", "middle": {"k": 5}}, refused(118, 26))),
    row(
        "split: bad shapes",
        admin({"split": NS}, refused(None, 2, 72)),
        admin({"split": NS, "middle": {"x": 5}}, refused(None, 2, 61, 72, 96)),
        admin({"split": 1, "middle": {"k": 1}}, refused(2, 14, 73)),
    ),
    row(
        "mergeChunks: two into one",
        MAKE,
        admin({"split": NEW, "middle": {"k": 10}}),
        admin({"mergeChunks": NEW, "bounds": [{"k": MinKey()}, {"k": MaxKey()}]}),
        ask({"collStats": SCRATCH}, {"nchunks": 1}),
        changes=True,
    ),
    row("clearJumboFlag: of a range", admin({"clearJumboFlag": NS, "find": {"k": 1}})),
    row(
        "moveChunk: there and back",
        SHARDS,
        admin({"shardCollection": NEW, "key": {"k": 1}}),
        admin({"split": NEW, "middle": {"k": 10}}),
        ask({"insert": SCRATCH, "documents": [{"k": n} for n in range(20)]}, {"n": 20}),
        admin(on_shards("moveChunk", of=NEW, find={"k": 1}, to="$0"), {"millis": int}),
        admin(on_shards("moveChunk", of=NEW, find={"k": 1}, to="$1"), {"millis": int}),
        ask({"count": SCRATCH, "query": {"k": {"$gte": 0}}}, {"n": 20}),
        changes=True,
    ),
    row(
        "moveChunk: by its bounds",
        SHARDS,
        admin({"shardCollection": NEW, "key": {"k": 1}}),
        admin(on_shards("moveChunk", of=NEW, bounds=[{"k": MinKey()}, {"k": MaxKey()}], to="$1")),
        changes=True,
    ),
    row(
        "moveChunk: to where it is",
        SHARDS,
        admin({"shardCollection": NEW, "key": {"k": 1}}),
        *[admin(on_shards("moveChunk", of=NEW, find={"k": 1}, to="$1"))] * 2,
        changes=True,
    ),
    row(
        "moveChunk: bad shapes",
        admin({"moveChunk": NS, "find": {"k": 1}, "to": "none"}, refused(70)),
        admin({"moveChunk": NS, "find": {"k": 1}}, refused(2, 9, 14, 40414)),
        SHARDS,
        admin(lambda a: {"moveChunk": NS, "to": shard(a[2:], 0)}, refused(None, 2, 72)),
        admin(lambda a: {"moveChunk": f"{DB}.{PLAIN}", "find": {"k": 1}, "to": shard(a[2:], 0)}, refused(118)),
    ),
    row(
        "moveRange: by its lower bound",
        SHARDS,
        admin({"shardCollection": NEW, "key": {"k": 1}}),
        admin(on_shards("moveRange", of=NEW, min={"k": MinKey()}, toShard="$1")),
        since=(6, 0),
        changes=True,
    ),
    row(
        "moveRange: bad shapes",
        admin({"moveRange": NS, "min": {"k": 5}, "toShard": "none"}, refused(70)),
        admin({"moveRange": NS, "toShard": "x"}, refused(9, 72, 40414, 7582300)),
        since=(6, 0),
    ),
)

ZONES = (
    row(
        "addShardToZone: named, ranged, freed",
        SHARDS,
        admin(on_shards("addShardToZone", of="$0", zone="z")),
        ask({"count": "shards", "query": {"tags": "z"}}, {"n": 1}, "config"),
        admin(on_shards("removeShardFromZone", of="$0", zone="z")),
        ask({"count": "shards", "query": {"tags": "z"}}, {"n": 0}, "config"),
    ),
    row(
        "addShardToZone: bad shapes",
        admin({"addShardToZone": "none", "zone": "z"}, refused(70)),
        admin({"addShardToZone": 1}, refused(9, 14, 4)),
    ),
    row(
        "removeShardFromZone: one that has ranges stays",
        SHARDS,
        admin(on_shards("addShardToZone", of="$0", zone="z")),
        admin({"updateZoneKeyRange": NS, "min": {"k": 100}, "max": {"k": 200}, "zone": "z"}),
        admin(on_shards("removeShardFromZone", of="$0", zone="z"), refused(163)),
        admin({"updateZoneKeyRange": NS, "min": {"k": 100}, "max": {"k": 200}, "zone": None}),
        admin(on_shards("removeShardFromZone", of="$0", zone="z")),
    ),
    row("removeShardFromZone: no such shard", admin({"removeShardFromZone": "none", "zone": "z"}, refused(70))),
    row(
        "updateZoneKeyRange: no such zone",
        admin({"updateZoneKeyRange": NS, "min": {"k": 100}, "max": {"k": 200}, "zone": "none"}, refused(177)),
    ),
    row(
        "updateZoneKeyRange: bad shapes",
        admin({"updateZoneKeyRange": NS, "min": {"k": 2}, "max": {"k": 1}, "zone": "z"}, refused(9)),
        admin({"updateZoneKeyRange": NS, "min": {"k": 1}}, refused(4, 9)),
    ),
)

BALANCER = (
    row(
        "balancerStatus: mode, and whether it is at work",
        admin({"balancerStatus": 1}, {"mode": str, "inBalancerRound": bool, "numBalancerRounds": int}),
    ),
    row("balancerStop: off", admin({"balancerStop": 1}), admin({"balancerStatus": 1}, {"mode": "off"})),
    row("balancerStart: on", admin({"balancerStart": 1}), admin({"balancerStatus": 1}, {"mode": "full"})),
    row(
        "balancerStart: only on admin",
        ask({"balancerStart": 1}, refused(13)),
        ask({"balancerStop": 1}, refused(13)),
        ask({"balancerStatus": 1}, refused(13)),
    ),
    row(
        "balancerCollectionStatus: whether a collection is balanced",
        admin({"balancerCollectionStatus": NS}, {"balancerCompliant": bool}),
        admin({"balancerCollectionStatus": f"{DB}.{PLAIN}"}, refused(118)),
    ),
    row(
        "configureCollectionBalancing: the size of chunks",
        admin({"configureCollectionBalancing": NS, "chunkSize": 64}),
        admin({"configureCollectionBalancing": f"{DB}.{MISSING}", "chunkSize": 64}, refused(26, 118)),
        since=(6, 0),
    ),
)
ROWS = (*SHARDING, *RANGES, *ZONES, *BALANCER)

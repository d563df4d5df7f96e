"""Databases, collections, views, validators, indexes, and their sizes."""

from typing import Any

from .row import DB, Absent, admin, ask, either, fields, has, refused, row, size
from .stage import MISSING, PLAIN, SCRATCH, SHARDED, VIEW

FIRST = "cursor.firstBatch"
OTHER = "renamed"
ELSEWHERE = f"{DB}_other"
NEEDS_NAME = {"$jsonSchema": {"required": ["name"], "properties": {"name": {"bsonType": "string"}}}}


def indexes(*specs: dict[str, Any], of: str = SHARDED, **options: Any) -> dict[str, Any]:
    return {"createIndexes": of, "indexes": list(specs), **options}


def index(name: str, **options: Any) -> dict[str, Any]:
    return {"key": {name: 1}, "name": f"{name}_1", **options}


def names(*wanted: str) -> Any:
    """A predicate: documents with these names, in any order."""
    return lambda found: sorted(document["name"] for document in found) == sorted(wanted)


def per_shard(count: int) -> Any:
    """A predicate: the answers of `count` shards, each without an error."""
    return lambda raw: len(raw) == count and all(part["ok"] == 1 for part in raw.values())


LISTS = (
    row(
        "listDatabases: names and sizes",
        admin({"listDatabases": 1}, {"databases": fields("name", "sizeOnDisk", "empty"), "totalSize": int}),
        admin(
            {"listDatabases": 1},
            {
                "databases": lambda found: (
                    {"admin", "config", DB} <= {d["name"] for d in found} and "local" not in {d["name"] for d in found}
                )
            },
        ),
    ),
    row(
        "listDatabases: names only",
        admin(
            {"listDatabases": 1, "nameOnly": True},
            {"databases": lambda found: all(list(d) == ["name"] for d in found), "totalSize": Absent},
        ),
    ),
    row(
        "listDatabases: a filter",
        admin({"listDatabases": 1, "filter": {"name": DB}}, {"databases": names(DB)}),
        admin(
            {"listDatabases": 1, "nameOnly": True, "filter": {"name": {"$regex": f"^{DB}$"}}},
            {"databases": [{"name": DB}]},
        ),
    ),
    row(
        "listDatabases: authorizedDatabases",
        admin({"listDatabases": 1, "nameOnly": True, "authorizedDatabases": True}, {"databases": has({"name": DB})}),
    ),
    row("listDatabases: only on admin", ask({"listDatabases": 1}, refused(13))),
    row(
        "listDatabases: bad shapes",
        admin({"listDatabases": 1, "filter": 1}, refused(14)),
        admin({"listDatabases": 1, "nameOnly": "x"}, refused(14)),
    ),
    row(
        "listCollections: collections and views",
        ask(
            {"listCollections": 1},
            {
                FIRST: names(SHARDED, PLAIN, VIEW, "plain_view", "system.views"),
                "cursor.id": 0,
                "cursor.ns": f"{DB}.$cmd.listCollections",
            },
        ),
        ask({"listCollections": 1}, {FIRST: fields("name", "type", "options", "info")}),
    ),
    row(
        "listCollections: a filter",
        ask(
            {"listCollections": 1, "filter": {"name": PLAIN}},
            {
                f"{FIRST}.0.type": "collection",
                f"{FIRST}.0.idIndex": dict,
                f"{FIRST}.0.info.uuid": bytes,
                f"{FIRST}.0.info.readOnly": False,
            },
        ),
        ask({"listCollections": 1, "filter": {"type": "view"}}, {FIRST: size(2), f"{FIRST}.0.options.viewOn": str}),
    ),
    row(
        "listCollections: names only",
        ask(
            {"listCollections": 1, "nameOnly": True, "authorizedCollections": True},
            {FIRST: lambda found: all(set(d) == {"name", "type"} for d in found)},
        ),
    ),
    row(
        "listCollections: batch by batch",
        ask({"listCollections": 1, "cursor": {"batchSize": 2}}, {FIRST: size(2), "cursor.id": lambda i: i != 0}),
        ask(
            lambda a: {"getMore": a[0]["cursor"]["id"], "collection": "$cmd.listCollections"},
            {"cursor.nextBatch": size(3), "cursor.id": 0},
        ),
    ),
    row(
        "listCollections: a missing database",
        ask({"listCollections": 1}, {FIRST: [], "cursor.id": 0}, "no_such_database"),
    ),
    row(
        "listCollections: of config and admin",
        ask({"listCollections": 1, "nameOnly": True}, {FIRST: fields("name")}, "config"),
        ask({"listCollections": 1, "filter": {"name": "shards"}}, {FIRST: names("shards")}, "config"),
        admin({"listCollections": 1}, {FIRST: fields("name")}),
    ),
    row("listCollections: bad shapes", ask({"listCollections": 1, "filter": 1}, refused(2, 14))),
    row(
        "listIndexes: names and keys",
        ask(
            {"listIndexes": SHARDED},
            {FIRST: names("_id_", "k_1", "n_1"), f"{FIRST}.0.key": {"_id": 1}, f"{FIRST}.0.v": 2, "cursor.id": 0},
        ),
    ),
    row(
        "listIndexes: batch by batch",
        ask({"listIndexes": SHARDED, "cursor": {"batchSize": 1}}, {FIRST: size(1), "cursor.id": lambda i: i != 0}),
        ask(
            lambda a: {"getMore": a[0]["cursor"]["id"], "collection": a[0]["cursor"]["ns"].partition(".")[2]},
            {"cursor.nextBatch": size(2), "cursor.id": 0},
        ),
    ),
    row(
        "listIndexes: of nothing",
        ask({"listIndexes": MISSING}, refused(26)),
        ask({"listIndexes": "x"}, refused(26), "no_such_database"),
    ),
    row("listIndexes: of a view", ask({"listIndexes": VIEW}, refused(166))),
    row("listIndexes: of config", ask({"listIndexes": "chunks"}, {FIRST: fields("name", "key")}, "config")),
)

INDEXES = (
    row(
        "createIndexes: on every owning shard",
        ask(indexes(index("x")), {"raw": per_shard(2)}),
        ask({"listIndexes": SHARDED}, {FIRST: names("_id_", "k_1", "n_1", "x_1")}),
        ask({"dropIndexes": SHARDED, "index": "x_1"}, {"raw": dict}),
        ask({"listIndexes": SHARDED}, {FIRST: names("_id_", "k_1", "n_1")}),
    ),
    row(
        "createIndexes: twice is no error",
        ask(
            indexes(index("n")),
            {"raw": lambda raw: all(part["numIndexesBefore"] == part["numIndexesAfter"] for part in raw.values())},
        ),
    ),
    row(
        "createIndexes: unsharded",
        ask(indexes(index("x"), of=PLAIN), {"raw": per_shard(1)}),
        ask({"dropIndexes": PLAIN, "index": {"x": 1}}),
    ),
    row(
        "createIndexes: makes a collection",
        ask(indexes(index("x"), of=SCRATCH), {"raw": per_shard(1)}),
        ask({"listIndexes": SCRATCH}, {FIRST: names("_id_", "x_1")}),
        changes=True,
    ),
    row(
        "createIndexes: of many kinds",
        ask(
            indexes(
                index("a", unique=True),
                index("b", expireAfterSeconds=60),
                index("c", sparse=True),
                index("d", partialFilterExpression={"d": {"$gt": 1}}),
                {"key": {"e": "hashed"}, "name": "e"},
                {"key": {"f": "text"}, "name": "f"},
                {"key": {"$**": 1}, "name": "wild"},
                of=SCRATCH,
            )
        ),
        changes=True,
    ),
    row("createIndexes: the same name, other keys", ask(indexes({"key": {"y": 1}, "name": "n_1"}), refused(86))),
    row("createIndexes: the same keys, another name", ask(indexes({"key": {"n": 1}, "name": "other"}), refused(85))),
    row(
        "createIndexes: the same index, other options", ask(indexes(index("n", unique=True), of=PLAIN), refused(85, 86))
    ),
    row("createIndexes: unique without the shard key", ask(indexes(index("x", unique=True)), refused(67))),
    row("createIndexes: over duplicates", ask(indexes(index("even", unique=True), of=PLAIN), refused(11000))),
    row(
        "createIndexes: bad shapes",
        ask(indexes(), refused(2)),
        ask({"createIndexes": SHARDED}, refused(9, 40414)),
        ask(indexes({"key": {"x": 1}}), refused(9)),
        ask(indexes({"key": {"x": "odd"}, "name": "x"}), refused(67)),
        ask(indexes({"key": {}, "name": "x"}), refused(67)),
        ask(indexes(index("x", frob=1)), refused(197)),
    ),
    row("createIndexes: on a view", ask(indexes(index("x"), of=VIEW), refused(166))),
    row(
        "dropIndexes: all but the id's and the shard key's",
        ask(indexes(index("x"), of=PLAIN)),
        ask({"dropIndexes": PLAIN, "index": "*"}),
        ask({"listIndexes": PLAIN}, {FIRST: names("_id_")}),
        ask(indexes(index("n"), of=PLAIN)),
    ),
    row(
        "dropIndexes: several by name",
        ask(indexes(index("x"), index("y"), of=PLAIN)),
        ask({"dropIndexes": PLAIN, "index": ["x_1", "y_1"]}),
        ask({"listIndexes": PLAIN}, {FIRST: names("_id_", "n_1")}),
    ),
    row(
        "dropIndexes: one that is not there",
        ask({"dropIndexes": PLAIN, "index": "none"}, refused(27)),
        ask({"dropIndexes": PLAIN, "index": {"none": 1}}, refused(27)),
    ),
    row("dropIndexes: never the id's", ask({"dropIndexes": PLAIN, "index": "_id_"}, refused(72))),
    row("dropIndexes: of nothing", ask({"dropIndexes": MISSING, "index": "*"}, refused(26))),
    row(
        "deleteIndexes: the older name",
        ask(indexes(index("x"), of=PLAIN)),
        ask({"deleteIndexes": PLAIN, "index": "x_1"}),
    ),
    row(
        "collMod: hides an index",
        ask({"collMod": PLAIN, "index": {"name": "n_1", "hidden": True}}),
        ask({"collMod": PLAIN, "index": {"name": "n_1", "hidden": False}}),
    ),
)

COLLECTIONS = (
    row(
        "create: a collection, once; the same again is no error",
        ask({"create": SCRATCH}),
        ask({"create": SCRATCH}, either({}, 48)),
        ask({"create": SCRATCH, "capped": True, "size": 4096}, refused(48)),
        changes=True,
    ),
    row(
        "create: capped",
        ask({"create": SCRATCH, "capped": True, "size": 4096, "max": 2}),
        ask({"listCollections": 1, "filter": {"name": SCRATCH}}, {f"{FIRST}.0.options.capped": True}),
        changes=True,
    ),
    row(
        "create: a collation",
        ask({"create": SCRATCH, "collation": {"locale": "en", "strength": 2}}),
        ask({"insert": SCRATCH, "documents": [{"a": "X"}]}),
        ask({"count": SCRATCH, "query": {"a": "x"}}, {"n": 1}),
        changes=True,
    ),
    row(
        "create: a view",
        ask({"create": SCRATCH, "viewOn": SHARDED, "pipeline": [{"$match": {"k": 1}}]}),
        ask({"count": SCRATCH}, {"n": 1}),
        ask({"find": SCRATCH}, {FIRST: size(1)}),
        ask({"drop": SCRATCH}),
        changes=True,
    ),
    row(
        "create: a time series", ask({"create": SCRATCH, "timeseries": {"timeField": "at"}}), since=(5, 0), changes=True
    ),
    row(
        "create: a validator holds",
        ask({"create": SCRATCH, "validator": NEEDS_NAME}),
        ask({"insert": SCRATCH, "documents": [{"name": 1}]}, {"n": 0, "writeErrors.0.code": 121}),
        ask({"insert": SCRATCH, "documents": [{"name": "x"}]}, {"n": 1}),
        ask({"update": SCRATCH, "updates": [{"q": {}, "u": {"$unset": {"name": 1}}}]}, {"writeErrors.0.code": 121}),
        ask({"findAndModify": SCRATCH, "query": {}, "update": {"$unset": {"name": 1}}}, refused(121)),
        changes=True,
    ),
    row(
        "create: bad shapes",
        ask({"create": SCRATCH, "capped": True}, refused(72)),
        ask({"create": SCRATCH, "frob": 1}, refused(9, 40415)),
        ask({"create": ""}, refused(73)),
        ask({"create": SCRATCH, "validator": 1}, refused(14)),
    ),
    row(
        "collMod: a validator on every shard",
        ask({"collMod": SHARDED, "validator": NEEDS_NAME}),
        ask(
            {"insert": SHARDED, "documents": [{"k": 1}, {"k": 8}], "ordered": False},
            {"n": 0, "writeErrors": size(2), "writeErrors.0.code": 121},
        ),
        ask({"insert": SHARDED, "documents": [{"k": 1}], "bypassDocumentValidation": True}, {"n": 1}),
        ask({"collMod": SHARDED, "validationAction": "warn"}),
        ask({"insert": SHARDED, "documents": [{"k": 1}]}, {"n": 1}),
        ask({"collMod": SHARDED, "validator": {}, "validationAction": "error"}),
        changes=True,
    ),
    row(
        "collMod: of nothing",
        ask({"collMod": MISSING, "validator": {}}, refused(26)),
        ask({"collMod": "x"}, refused(26), "no_such_database"),
    ),
    row("collMod: an unknown option", ask({"collMod": PLAIN, "frob": 1}, refused(9, 72, 40415))),
    row(
        "drop: gone",
        ask({"create": SCRATCH}),
        ask({"drop": SCRATCH}),
        ask({"listCollections": 1, "filter": {"name": SCRATCH}}, {FIRST: []}),
    ),
    row(
        "drop: a sharded one, with its ranges",
        admin({"shardCollection": f"{DB}.{SCRATCH}", "key": {"_id": "hashed"}}),
        ask({"drop": SCRATCH}),
        ask(
            {"count": "collections", "query": {"_id": f"{DB}.{SCRATCH}", "dropped": {"$ne": True}}}, {"n": 0}, "config"
        ),
    ),
    row(
        "drop: of nothing",
        ask({"drop": MISSING}, either({}, 26)),
        ask({"drop": "x"}, either({}, 26), "no_such_database"),
    ),
    row(
        "dropDatabase: gone",
        ask({"insert": "x", "documents": [{}]}, {"n": 1}, ELSEWHERE),
        ask({"dropDatabase": 1}, {"dropped": ELSEWHERE}, ELSEWHERE),
        ask({"listCollections": 1}, {FIRST: []}, ELSEWHERE),
    ),
    row("dropDatabase: one that is not there", ask({"dropDatabase": 1}, {}, "no_such_database")),
    row(
        "dropDatabase: never admin or config",
        admin({"dropDatabase": 1}, refused(20, 8000)),
        ask({"dropDatabase": 1}, refused(13, 20), "config"),
    ),
    row(
        "renameCollection: unsharded",
        ask({"insert": SCRATCH, "documents": [{"_id": 1}]}),
        admin({"renameCollection": f"{DB}.{SCRATCH}", "to": f"{DB}.{OTHER}"}),
        ask({"count": OTHER}, {"n": 1}),
        ask({"count": SCRATCH}, {"n": 0}),
        changes=True,
    ),
    row(
        "renameCollection: over another",
        ask({"create": SCRATCH}),
        ask({"create": OTHER}),
        admin({"renameCollection": f"{DB}.{SCRATCH}", "to": f"{DB}.{OTHER}"}, refused(48)),
        admin({"renameCollection": f"{DB}.{SCRATCH}", "to": f"{DB}.{OTHER}", "dropTarget": True}),
        changes=True,
    ),
    row(
        "renameCollection: sharded",
        admin({"shardCollection": f"{DB}.{SCRATCH}", "key": {"_id": "hashed"}}),
        ask({"insert": SCRATCH, "documents": [{"_id": n} for n in range(9)]}),
        admin({"renameCollection": f"{DB}.{SCRATCH}", "to": f"{DB}.{OTHER}"}),
        ask({"count": OTHER}, {"n": 9}),
        ask({"find": OTHER, "filter": {"_id": 3}}, {FIRST: size(1)}),
        since=(5, 0),
        changes=True,
    ),
    row(
        "renameCollection: nothing", admin({"renameCollection": f"{DB}.{MISSING}", "to": f"{DB}.{OTHER}"}, refused(26))
    ),
    row(
        "renameCollection: only on admin",
        ask({"renameCollection": f"{DB}.{PLAIN}", "to": f"{DB}.{OTHER}"}, refused(13)),
    ),
    row(
        "renameCollection: bad shapes",
        admin({"renameCollection": f"{DB}.{PLAIN}"}, refused(9, 14, 40414)),
        admin({"renameCollection": f"{DB}.{PLAIN}", "to": "x"}, refused(73)),
    ),
)

SIZES = (
    row(
        "collStats: summed over shards",
        ask(
            {"collStats": SHARDED},
            {
                "sharded": True,
                "ns": f"{DB}.{SHARDED}",
                "count": 10,
                "size": int,
                "storageSize": int,
                "avgObjSize": int | float,
                "totalIndexSize": int,
                "nindexes": 3,
                "nchunks": 2,
                "indexSizes": has("_id_", "k_1"),
                "capped": False,
                "shards": lambda found: len(found) == 2,
            },
        ),
    ),
    row("collStats: scaled", ask({"collStats": SHARDED, "scale": 1024}, {"count": 10, "size": 0})),
    row(
        "collStats: unsharded",
        ask(
            {"collStats": PLAIN},
            {"sharded": False, "primary": str, "count": 10, "shards": lambda found: len(found) == 1},
        ),
    ),
    row(
        "dbStats: summed over shards",
        ask(
            {"dbStats": 1},
            {
                "objects": lambda n: n >= 20,
                "dataSize": int | float,
                "indexes": int,
                "avgObjSize": int | float,
                "raw": lambda raw: len(raw) == 2,
            },
        ),
    ),
    row("dbstats: the same in small letters", ask({"dbstats": 1}, {"raw": dict})),
    row("collstats: the same in small letters", ask({"collstats": PLAIN}, {"count": 10})),
    row(
        "dataSize: of a range",
        ask({"dataSize": f"{DB}.{PLAIN}"}, {"size": int | float, "numObjects": 10}),
        ask({"dataSize": f"{DB}.{SHARDED}"}, {"numObjects": 10}),
    ),
    row(
        "validate: on every shard",
        ask({"validate": SHARDED}, {"valid": True, "raw": lambda raw: len(raw) == 2}),
        ask({"validate": PLAIN}, {"valid": True}),
        ask({"validate": MISSING}, refused(26)),
    ),
    row("planCacheClear: on the owning shards", ask({"planCacheClear": SHARDED}), ask({"planCacheClear": PLAIN})),
)
ROWS = (*LISTS, *INDEXES, *COLLECTIONS, *SIZES)

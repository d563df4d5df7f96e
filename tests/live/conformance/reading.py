"""find, aggregate, count, distinct, explain and the cursors they open."""

import uuid
from collections.abc import Sequence
from typing import Any

from bson import SON, Binary, Int64

from .row import DB, Reply, admin, ask, either, fields, refused, row, size
from .stage import MISSING, PLAIN, PLAIN_VIEW, SCRATCH, SHARDED, VIEW

ALL = 10
FIRST = "cursor.firstBatch"
MANY = {"cursor.id": lambda found: found != 0, "cursor.ns": f"{DB}.{SHARDED}"}
CLOSED = {"cursor.id": 0}
DOWN = {"k": -1}


def ids(*wanted: Any) -> Any:
    """A predicate: documents with these ids, in this order."""
    return lambda found: [document["_id"] for document in found] == list(wanted)


def more(answers: Sequence[Reply], **options: Any) -> dict[str, Any]:
    """The `getMore` for the cursor of the first answer."""
    cursor = answers[0]["cursor"]
    return {"getMore": cursor["id"], "collection": cursor["ns"].partition(".")[2], **options}


def kill(answers: Sequence[Reply]) -> dict[str, Any]:
    cursor = answers[0]["cursor"]
    return {"killCursors": cursor["ns"].partition(".")[2], "cursors": [cursor["id"]]}


def pipeline(*stages: Any, of: Any = SHARDED, **options: Any) -> dict[str, Any]:
    return {"aggregate": of, "pipeline": list(stages), "cursor": {}, **options}


def explained(stage: str) -> dict[str, Any]:
    return {"queryPlanner.winningPlan.stage": stage, "queryPlanner.mongosPlannerVersion": 1,
            "queryPlanner.winningPlan.shards": fields("shardName", "connectionString", "winningPlan")}  # fmt: skip


FIND = (
    row(
        "find: everything, sorted over two shards",
        ask(
            {"find": SHARDED, "sort": {"k": 1}},
            {
                FIRST: ids(*range(ALL)),
                **CLOSED,
                "cursor.ns": f"{DB}.{SHARDED}",
                "operationTime": lambda at: at.time > 0,
            },
        ),
    ),
    row("find: with the shard key", ask({"find": SHARDED, "filter": {"k": 7}}, {FIRST: ids(7)})),
    row("find: unsharded", ask({"find": PLAIN, "sort": DOWN, "limit": 3}, {FIRST: ids(9, 8, 7), **CLOSED})),
    row("find: a missing collection is empty", ask({"find": MISSING}, {FIRST: [], **CLOSED})),
    row("find: a missing database is empty", ask({"find": "x"}, {FIRST: [], **CLOSED}, "no_such_database")),
    row("find: a view of a sharded collection", ask({"find": VIEW, "sort": {"k": 1}}, {FIRST: ids(0, 2, 4, 6, 8)})),
    row(
        "find: a view of an unsharded one",
        ask({"find": PLAIN_VIEW, "filter": {"k": {"$gt": 5}}, "sort": {"k": 1}}, {FIRST: ids(6, 8)}),
    ),
    row(
        "find: skip and limit over shards",
        ask({"find": SHARDED, "sort": DOWN, "skip": 3, "limit": 4}, {FIRST: ids(6, 5, 4, 3)}),
    ),
    row(
        "find: a projection",
        ask({"find": SHARDED, "filter": {"k": 1}, "projection": {"n": 1}}, {FIRST: [{"_id": 1, "n": 10}]}),
    ),
    row(
        "find: sorted by what is not shown",
        ask({"find": SHARDED, "sort": DOWN, "limit": 1, "projection": {"_id": 1}}, {FIRST: [{"_id": 9}]}),
    ),
    row(
        "find: a hint",
        ask({"find": SHARDED, "hint": {"n": 1}, "sort": {"k": 1}}, {FIRST: size(ALL)}),
        ask({"find": SHARDED, "hint": "n_1"}, {FIRST: size(ALL)}),
    ),
    row("find: a hint that names no index", ask({"find": SHARDED, "hint": "none"}, refused(2))),
    row("find: a hint that is neither name nor keys", ask({"find": SHARDED, "hint": 1}, refused(9))),
    row(
        "find: a collation",
        ask(
            {"find": SHARDED, "filter": {"tags": "ALL"}, "collation": {"locale": "en", "strength": 2}},
            {FIRST: size(ALL)},
        ),
    ),
    row(
        "find: let",
        ask({"find": SHARDED, "filter": {"$expr": {"$eq": ["$k", "$$wanted"]}}, "let": {"wanted": 3}}, {FIRST: ids(3)}),
        since=(5, 0),
    ),
    row("find: a comment", ask({"find": SHARDED, "comment": {"why": "a test"}}, {FIRST: size(ALL)})),
    row("find: in time", ask({"find": SHARDED, "maxTimeMS": 5000}, {FIRST: size(ALL)})),
    row("find: a negative limit of time", ask({"find": SHARDED, "maxTimeMS": -1}, refused(2))),
    row("find: a limit of time that is no number", ask({"find": SHARDED, "maxTimeMS": "soon"}, refused(2, 14))),
    row("find: allowPartialResults", ask({"find": SHARDED, "allowPartialResults": True}, {FIRST: size(ALL)})),
    row(
        "find: from secondaries",
        ask({"find": SHARDED, "$readPreference": {"mode": "secondaryPreferred"}}, {"cursor": dict}),
    ),
    row(
        "find: an unknown read preference",
        ask({"find": SHARDED, "$readPreference": {"mode": "tertiary"}}, refused(2, 9)),
    ),
    *(
        row(f"find: read concern {level}", ask({"find": SHARDED, "readConcern": {"level": level}}, {FIRST: size(ALL)}))
        for level in ("local", "available", "majority")
    ),
    row(
        "find: read concern linearizable on one shard",
        ask({"find": SHARDED, "filter": {"k": 1}, "readConcern": {"level": "linearizable"}}, {FIRST: size(1)}),
    ),
    row(
        "find: read concern snapshot",
        ask({"find": SHARDED, "readConcern": {"level": "snapshot"}}, {FIRST: size(ALL)}),
        since=(5, 0),
    ),
    row("find: read concern unheard of", ask({"find": SHARDED, "readConcern": {"level": "wishful"}}, refused(2, 9))),
    row("find: a read concern that is none", ask({"find": SHARDED, "readConcern": 1}, refused(9, 14))),
    row(
        "find: after what was just seen",
        ask({"find": SHARDED}),
        ask(
            lambda answers: {"find": SHARDED, "readConcern": {"afterClusterTime": answers[0]["operationTime"]}},
            {FIRST: size(ALL)},
        ),
    ),
    row("find: a negative limit", ask({"find": SHARDED, "limit": -1}, refused(2, 51024))),
    row("find: a negative skip", ask({"find": SHARDED, "skip": -1}, refused(2, 51024))),
    row("find: a negative batch", ask({"find": SHARDED, "batchSize": -1}, refused(2, 51024))),
    row("find: a filter that is no document", ask({"find": SHARDED, "filter": 1}, refused(9, 14))),
    row("find: a limit that is no number", ask({"find": SHARDED, "limit": "ten"}, refused(9, 14))),
    row("find: an unknown operator", ask({"find": SHARDED, "filter": {"k": {"$near_ly": 1}}}, refused(2))),
    row("find: an unknown option", ask({"find": SHARDED, "fliter": {}}, refused(9, 40415))),
    row("find: a sort that is none", ask({"find": SHARDED, "sort": {"k": 2}}, refused(2, 15975))),
    row("find: a name that is none", ask({"find": ""}, refused(73)), ask({"find": 1}, refused(2, 73))),
    row(
        "find: the config database",
        ask(
            {"find": "shards", "sort": {"_id": 1}},
            {FIRST: fields("_id", "host"), "cursor.ns": "config.shards"},
            "config",
        ),
    ),
    row(
        "find: the chunks of a collection",
        ask({"find": "collections", "filter": {"_id": f"{DB}.{SHARDED}"}}, {f"{FIRST}.0.key": {"k": 1}}, "config"),
    ),
    row("find: the local database is out of reach", ask({"find": "oplog.rs"}, refused(20, 73), "local")),
    row(
        "find: not with $where, where scripts are off",
        ask({"find": SHARDED, "filter": {"$where": "true"}}, refused(2, 139, 6108304)),
    ),
)

CURSORS = (
    row(
        "getMore: batch by batch, to the end",
        ask({"find": SHARDED, "sort": {"k": 1}, "batchSize": 4}, {**MANY, FIRST: size(4)}),
        ask(lambda a: more(a, batchSize=4), {"cursor.nextBatch": ids(4, 5, 6, 7), "cursor.id": Int64}),
        ask(lambda a: more(a), {"cursor.nextBatch": ids(8, 9), **CLOSED}),
        ask(lambda a: more(a), refused(43)),
    ),
    row(
        "getMore: after an empty first batch",
        ask({"find": PLAIN, "batchSize": 0}, {FIRST: [], "cursor.id": lambda i: i != 0}),
        ask(lambda a: more(a), {"cursor.nextBatch": size(ALL), **CLOSED}),
    ),
    row(
        "getMore: of one shard",
        ask({"find": SHARDED, "filter": {"k": {"$lt": 5}}, "batchSize": 2}, {**MANY, FIRST: size(2)}),
        ask(lambda a: more(a), {"cursor.nextBatch": size(3), **CLOSED}),
    ),
    row(
        "getMore: of an aggregation",
        ask(pipeline({"$sort": {"k": 1}}, cursor={"batchSize": 0}), {FIRST: [], **MANY}),
        ask(lambda a: more(a), {"cursor.nextBatch": ids(*range(ALL)), **CLOSED}),
    ),
    row(
        "getMore: of a view",
        ask({"find": VIEW, "sort": {"k": 1}, "batchSize": 2}, {FIRST: ids(0, 2)}),
        ask(lambda a: more(a), {"cursor.nextBatch": ids(4, 6, 8), **CLOSED}),
    ),
    row("getMore: no such cursor", ask({"getMore": Int64(12345), "collection": SHARDED}, refused(43))),
    row(
        "getMore: of another collection",
        ask({"find": SHARDED, "batchSize": 1}),
        ask(lambda a: more(a, collection=PLAIN), refused(13, 43)),
        ask(kill),
    ),
    row(
        "getMore: in another session",
        ask({"find": SHARDED, "batchSize": 1}),
        ask(lambda a: more(a, lsid={"id": Binary.from_uuid(uuid.uuid4())}), refused(13, 50738)),
        ask(kill),
    ),
    row("getMore: a cursor that is no number", ask({"getMore": "one", "collection": SHARDED}, refused(14))),
    row("getMore: no collection", ask({"getMore": Int64(12345)}, refused(9, 40414))),
    row(
        "getMore: a negative batch",
        ask({"find": SHARDED, "batchSize": 1}),
        ask(lambda a: more(a, batchSize=-1), refused(2, 51024)),
        ask(kill),
    ),
    row(
        "killCursors: killed, then not found",
        ask({"find": SHARDED, "batchSize": 2}, MANY),
        ask(kill, {"cursorsKilled": size(1), "cursorsNotFound": [], "cursorsAlive": [], "cursorsUnknown": []}),
        ask(kill, {"cursorsKilled": [], "cursorsNotFound": size(1)}),
        ask(lambda a: more(a), refused(43)),
    ),
    row(
        "killCursors: of one shard",
        ask({"find": SHARDED, "filter": {"k": {"$lt": 5}}, "batchSize": 2}, MANY),
        ask(kill, {"cursorsKilled": size(1)}),
        ask(lambda a: more(a), refused(43)),
    ),
    row(
        "killCursors: no list",
        ask({"killCursors": SHARDED, "cursors": 1}, refused(9, 14)),
        ask({"killCursors": SHARDED}, refused(9, 40414)),
    ),
)

AGGREGATE = (
    row(
        "aggregate: everything",
        ask(pipeline({"$sort": {"k": 1}}), {FIRST: ids(*range(ALL)), **CLOSED, "cursor.ns": f"{DB}.{SHARDED}"}),
    ),
    row("aggregate: $match by the shard key", ask(pipeline({"$match": {"k": 3}}), {FIRST: ids(3)})),
    row("aggregate: unsharded", ask(pipeline({"$match": {"k": 3}}, of=PLAIN), {FIRST: ids(3)})),
    row("aggregate: a missing collection", ask(pipeline({"$match": {}}, of=MISSING), {FIRST: [], **CLOSED})),
    row("aggregate: a missing database", ask(pipeline(), {FIRST: [], **CLOSED}, "no_such_database")),
    row(
        "aggregate: a view",
        ask(pipeline({"$group": {"_id": None, "sum": {"$sum": "$k"}}}, of=VIEW), {FIRST: [{"_id": None, "sum": 20}]}),
    ),
    row(
        "aggregate: $group over shards",
        ask(
            pipeline(
                {"$group": {"_id": "$even", "n": {"$sum": 1}, "most": {"$max": "$k"}, "average": {"$avg": "$k"}}},
                {"$sort": {"_id": 1}},
            ),
            {
                FIRST: [
                    {"_id": False, "n": 5, "most": 9, "average": 5.0},
                    {"_id": True, "n": 5, "most": 8, "average": 4.0},
                ]
            },
        ),
    ),
    row("aggregate: $count", ask(pipeline({"$count": "n"}), {FIRST: [{"n": ALL}]})),
    row(
        "aggregate: $facet",
        ask(
            pipeline(
                {
                    "$facet": {
                        "all": [{"$count": "n"}],
                        "low": [{"$match": {"k": {"$lt": 2}}}, {"$sort": {"k": 1}}, {"$project": {"_id": 1}}],
                    }
                }
            ),
            {FIRST: [{"all": [{"n": ALL}], "low": [{"_id": 0}, {"_id": 1}]}]},
        ),
    ),
    row(
        "aggregate: $lookup of an unsharded one",
        ask(
            pipeline(
                {"$match": {"k": {"$gt": 7}}},
                {"$sort": {"k": 1}},
                {"$lookup": {"from": PLAIN, "localField": "k", "foreignField": "k", "as": "found"}},
            ),
            {f"{FIRST}.0.found.0._id": 8, f"{FIRST}.1.found.0._id": 9},
        ),
    ),
    row(
        "aggregate: $lookup of a sharded one",
        ask(
            pipeline(
                {"$match": {"k": 8}},
                {"$lookup": {"from": SHARDED, "localField": "k", "foreignField": "k", "as": "found"}},
                of=PLAIN,
            ),
            {f"{FIRST}.0.found.0._id": 8},
        ),
        since=(5, 1),
    ),
    row(
        "aggregate: $lookup with a pipeline",
        ask(
            pipeline(
                {"$match": {"k": 8}},
                {
                    "$lookup": {
                        "from": PLAIN,
                        "let": {"k": "$k"},
                        "pipeline": [{"$match": {"$expr": {"$eq": ["$k", "$$k"]}}}],
                        "as": "found",
                    }
                },
            ),
            {f"{FIRST}.0.found.0._id": 8},
        ),
    ),
    row(
        "aggregate: $graphLookup",
        ask(
            pipeline(
                {"$match": {"k": 1}},
                {
                    "$graphLookup": {
                        "from": PLAIN,
                        "startWith": "$k",
                        "connectFromField": "n",
                        "connectToField": "k",
                        "as": "found",
                    }
                },
                of=PLAIN,
            ),
            {f"{FIRST}.0.found.0._id": 1},
        ),
    ),
    row(
        "aggregate: $unionWith",
        ask(
            pipeline({"$match": {"k": 1}}, {"$unionWith": {"coll": PLAIN, "pipeline": [{"$match": {"k": 2}}]}}),
            {FIRST: ids(1, 2)},
        ),
    ),
    row(
        "aggregate: $unwind and $sortByCount",
        ask(
            pipeline({"$unwind": "$tags"}, {"$sortByCount": "$tags"}, {"$limit": 1}),
            {FIRST: [{"_id": "all", "count": ALL}]},
        ),
    ),
    row(
        "aggregate: $bucket",
        ask(
            pipeline({"$bucket": {"groupBy": "$k", "boundaries": [0, 5, 10]}}),
            {FIRST: [{"_id": 0, "count": 5}, {"_id": 5, "count": 5}]},
        ),
    ),
    row("aggregate: $sample", ask(pipeline({"$sample": {"size": 3}}), {FIRST: size(3)})),
    row(
        "aggregate: $collStats, a part from each shard",
        ask(
            pipeline({"$collStats": {"count": {}, "storageStats": {}}}),
            {
                FIRST: lambda parts: (
                    sum(part["count"] for part in parts) == ALL and len({part["shard"] for part in parts}) == 2
                )
            },
        ),
    ),
    row(
        "aggregate: $collStats of a missing collection",
        ask(pipeline({"$collStats": {"count": {}}}, of=MISSING), refused(26, 40481)),
    ),
    row(
        "aggregate: $indexStats, a part from each shard",
        ask(
            pipeline({"$indexStats": {}}),
            {
                FIRST: lambda parts: (
                    {part["name"] for part in parts} == {"_id_", "k_1", "n_1"} and all("shard" in p for p in parts)
                )
            },
        ),
    ),
    row("aggregate: $planCacheStats", ask(pipeline({"$planCacheStats": {}}), {FIRST: list})),
    row("aggregate: $currentOp", admin(pipeline({"$currentOp": {}}, of=1), {FIRST: fields("shard", "host", "opid")})),
    row(
        "aggregate: $currentOp of the router", admin(pipeline({"$currentOp": {"localOps": True}}, of=1), {FIRST: list})
    ),
    row(
        "aggregate: $listSessions",
        ask(pipeline({"$listSessions": {"allUsers": True}}, of="system.sessions"), {FIRST: list}, "config"),
    ),
    row("aggregate: $listLocalSessions", admin(pipeline({"$listLocalSessions": {}}, of=1), {FIRST: list})),
    row(
        "aggregate: $shardedDataDistribution",
        admin(pipeline({"$shardedDataDistribution": {}}, of=1), {FIRST: fields("ns", "shards")}),
        since=(6, 0),
    ),
    row("aggregate: $documents", ask(pipeline({"$documents": [{"x": 1}]}, of=1), {FIRST: [{"x": 1}]}), since=(5, 1)),
    row(
        "aggregate: $out",
        ask(pipeline({"$match": {"even": True}}, {"$out": SCRATCH}), {FIRST: [], **CLOSED}),
        ask({"count": SCRATCH}, {"n": 5}),
        changes=True,
    ),
    row("aggregate: not $out into a sharded collection", ask(pipeline({"$out": SHARDED}, of=PLAIN), refused(28769))),
    row(
        "aggregate: $merge into an unsharded one",
        ask(pipeline({"$merge": {"into": SCRATCH}}), {FIRST: [], **CLOSED}),
        ask({"count": SCRATCH}, {"n": ALL}),
        changes=True,
    ),
    row(
        "aggregate: $merge into a sharded one",
        ask(
            pipeline(
                {"$project": {"k": 1, "merged": {"$literal": 1}}},
                {"$merge": {"into": SHARDED}},
                of=PLAIN,
                readConcern={"level": "local"},
            )
        ),
        ask({"count": SHARDED, "query": {"merged": 1}}, {"n": ALL}),
        changes=True,
    ),
    row(
        "aggregate: $where no more than in find",
        ask(pipeline({"$match": {"$where": "true"}}), refused(2, 139, 6108304)),
    ),
    row(
        "aggregate: allowDiskUse, hint, comment, let",
        ask(pipeline({"$match": {"k": 1}}, allowDiskUse=True, hint={"n": 1}, comment="a test"), {FIRST: ids(1)}),
    ),
    row(
        "aggregate: let",
        ask(pipeline({"$match": {"$expr": {"$eq": ["$k", "$$w"]}}}, let={"w": 2}), {FIRST: ids(2)}),
        since=(5, 0),
    ),
    row(
        "aggregate: a collation",
        ask(pipeline({"$match": {"tags": "T1"}}, collation={"locale": "en", "strength": 2}), {FIRST: ids(1)}),
    ),
    row(
        "aggregate: read concern majority",
        ask(pipeline({"$match": {}}, readConcern={"level": "majority"}), {FIRST: size(ALL)}),
    ),
    row(
        "aggregate: from secondaries",
        ask(pipeline(**{"$readPreference": {"mode": "secondaryPreferred"}}), {"cursor": dict}),
    ),
    row("aggregate: an unknown stage", ask(pipeline({"$frobnicate": {}}), refused(40324))),
    row("aggregate: a stage of two", ask(pipeline(SON([("$match", {}), ("$sort", {"k": 1})])), refused(40323))),
    row("aggregate: no pipeline", ask({"aggregate": SHARDED, "cursor": {}}, refused(9, 14, 40414))),
    row(
        "aggregate: a pipeline that is no list", ask({"aggregate": SHARDED, "pipeline": {}, "cursor": {}}, refused(14))
    ),
    row(
        "aggregate: stages that are no documents",
        ask({"aggregate": SHARDED, "pipeline": [1], "cursor": {}}, refused(14)),
    ),
    row("aggregate: no cursor", ask({"aggregate": SHARDED, "pipeline": []}, refused(9))),
    row("aggregate: a negative batch", ask(pipeline(cursor={"batchSize": -1}), refused(2, 51024))),
    row(
        "aggregate: the config database",
        ask(pipeline({"$match": {"_id": f"{DB}.{SHARDED}"}}, of="collections"), {FIRST: size(1)}, "config"),
    ),
    row(
        "aggregate: the chunks by shard, as a shell counts them",
        ask(
            pipeline({"$group": {"_id": "$shard", "n": {"$sum": 1}}}, of="chunks"),
            {FIRST: fields("_id", "n")},
            "config",
        ),
    ),
)

NUMBERS = (
    row(
        "count: everything",
        ask({"count": SHARDED}, {"n": ALL}),
        ask({"count": PLAIN}, {"n": ALL}),
        ask({"count": MISSING}, {"n": 0}),
        ask({"count": "x"}, {"n": 0}, "no_such_database"),
    ),
    row("count: a view", ask({"count": VIEW}, {"n": 5}), ask({"count": VIEW, "query": {"k": {"$gt": 5}}}, {"n": 2})),
    row("count: a filter", ask({"count": SHARDED, "query": {"k": {"$gte": 4, "$lt": 6}}}, {"n": 2})),
    row(
        "count: skip and limit",
        ask({"count": SHARDED, "skip": 4, "limit": 3}, {"n": 3}),
        ask({"count": SHARDED, "skip": 8, "limit": 3}, {"n": 2}),
        ask({"count": SHARDED, "limit": -3}, {"n": 3}),
        ask({"count": SHARDED, "skip": 99}, {"n": 0}),
    ),
    row(
        "count: hint, collation, read concern, time",
        ask(
            {
                "count": SHARDED,
                "hint": "n_1",
                "query": {"n": {"$gt": 50}},
                "collation": {"locale": "en"},
                "readConcern": {"level": "majority"},
                "maxTimeMS": 5000,
            },
            {"n": 4},
        ),
    ),
    row("count: the config database", ask({"count": "shards"}, {"n": 2}, "config")),
    row(
        "count: bad shapes",
        ask({"count": SHARDED, "query": 1}, refused(14)),
        ask({"count": SHARDED, "skip": -1}, refused(2, 9, 51024)),
        ask({"count": 1}, refused(2, 73)),
        ask({"count": SHARDED, "limit": "x"}, refused(2, 14)),
    ),
    row(
        "distinct: over shards",
        ask({"distinct": SHARDED, "key": "even"}, {"values": lambda found: sorted(found) == [False, True]}),
        ask(
            {"distinct": SHARDED, "key": "tags", "query": {"k": {"$in": [1, 8]}}},
            {"values": lambda found: sorted(found) == ["all", "t1", "t8"]},
        ),
    ),
    row(
        "distinct: unsharded, missing, a view",
        ask({"distinct": PLAIN, "key": "k"}, {"values": size(ALL)}),
        ask({"distinct": MISSING, "key": "k"}, {"values": []}),
        ask({"distinct": VIEW, "key": "k"}, {"values": size(5)}),
        ask({"distinct": "x", "key": "k"}, either({"values": []}, 26), "no_such_database"),
    ),
    row(
        "distinct: a collation",
        ask(
            {"distinct": SHARDED, "key": "k", "query": {"tags": "ALL"}, "collation": {"locale": "en", "strength": 1}},
            {"values": size(ALL)},
        ),
    ),
    row(
        "distinct: bad shapes",
        ask({"distinct": SHARDED}, refused(9, 14, 40414)),
        ask({"distinct": SHARDED, "key": 1}, refused(14)),
        ask({"distinct": SHARDED, "key": "k", "query": 1}, refused(14)),
    ),
    row(
        "explain: one shard",
        ask({"explain": {"find": SHARDED, "filter": {"k": 1}}, "verbosity": "queryPlanner"}, explained("SINGLE_SHARD")),
    ),
    row(
        "explain: all shards",
        ask({"explain": {"find": SHARDED}, "verbosity": "queryPlanner"}, explained("SHARD_MERGE")),
        ask({"explain": {"find": SHARDED, "sort": {"n": 1}}}, explained("SHARD_MERGE_SORT")),
    ),
    row(
        "explain: with its numbers",
        ask(
            {"explain": {"find": SHARDED, "filter": {"k": 1}}, "verbosity": "executionStats"},
            {**explained("SINGLE_SHARD"), "executionStats.nReturned": 1, "executionStats.totalDocsExamined": 1},
        ),
    ),
    row("explain: unsharded", ask({"explain": {"find": PLAIN}}, explained("SINGLE_SHARD"))),
    row(
        "explain: a missing collection",
        ask({"explain": {"find": MISSING}}, {"ok": 1}),
        ask({"explain": {"find": "x"}}, either({}, 26), "no_such_database"),
    ),
    row(
        "explain: an aggregation",
        ask(
            {"explain": pipeline({"$group": {"_id": "$even"}})},
            {"shards": dict, "mergeType": str, "splitPipeline": dict},
        ),
        ask({"explain": pipeline({"$match": {"k": 1}})}, {"shards": lambda found: len(found) == 1}),
    ),
    row(
        "explain: count and distinct",
        ask({"explain": {"count": SHARDED, "query": {"k": 1}}}, explained("SINGLE_SHARD")),
        ask({"explain": {"distinct": SHARDED, "key": "n"}}, explained("SHARD_MERGE")),
    ),
    row(
        "explain: update, delete and findAndModify",
        ask(
            {"explain": {"update": SHARDED, "updates": [{"q": {"k": 1}, "u": {"$set": {"x": 1}}}]}},
            explained("SHARD_WRITE"),
        ),
        ask({"explain": {"delete": SHARDED, "deletes": [{"q": {"k": 1}, "limit": 1}]}}, explained("SHARD_WRITE")),
        ask({"explain": {"findAndModify": SHARDED, "query": {"k": 1}, "remove": True}}, explained("SINGLE_SHARD")),
        ask({"count": SHARDED}, {"n": ALL}),
    ),
    row("explain: a view", ask({"explain": {"find": VIEW}}, {"ok": 1})),
    row(
        "explain: bad shapes",
        ask({"explain": 1}, refused(9, 14)),
        ask({"explain": {"find": SHARDED}, "verbosity": "chatty"}, refused(2, 9)),
        ask({"explain": {"frobnicate": 1}}, refused(59, 9)),
        ask({"explain": {}}, refused(9, 59)),
    ),
)
ROWS = (*FIND, *CURSORS, *AGGREGATE, *NUMBERS)

"""insert, update, delete, findAndModify; numbers that make them repeatable; transactions."""

import uuid
from typing import Any

from bson import Binary, Int64

from .row import Absent, admin, ask, either, refused, row, size
from .stage import PLAIN, SCRATCH, SHARDED, VIEW

STRENGTH_2 = {"locale": "en", "strength": 2}
FIRST = "cursor.firstBatch"


def insert(*documents: Any, into: str = SHARDED, **options: Any) -> dict[str, Any]:
    return {"insert": into, "documents": list(documents), **options}


def update(query: Any, change: Any, of: str = SHARDED, **statement: Any) -> dict[str, Any]:
    return {"update": of, "updates": [{"q": query, "u": change, **statement}]}


def delete(query: Any, limit: int = 0, of: str = SHARDED, **statement: Any) -> dict[str, Any]:
    return {"delete": of, "deletes": [{"q": query, "limit": limit, **statement}]}


def modify(query: Any, of: str = SHARDED, **options: Any) -> dict[str, Any]:
    return {"findAndModify": of, "query": query, **options}


def numbered(command: dict[str, Any], session: Any, number: int = 1, **more: Any) -> dict[str, Any]:
    return {**command, "lsid": session, "txnNumber": Int64(number), **more}


def session() -> dict[str, Binary]:
    return {"id": Binary.from_uuid(uuid.uuid4())}


def failed(*codes: int, index: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "writeErrors.0.code": lambda code: code in codes,
        "writeErrors.0.index": index,
        "writeErrors.0.errmsg": str,
        **more,
    }


ONE, TWO, THREE, FOUR, FIVE = (session() for _ in range(5))
INC = {"$inc": {"n": 1}}
SET = {"$set": {"x": 1}}
BEGIN, GO_ON = {"startTransaction": True, "autocommit": False}, {"autocommit": False}

WRITES = (
    row(
        "insert: over two shards",
        ask(insert({"_id": 20, "k": -1}, {"_id": 21, "k": 21}), {"n": 2, "writeErrors": Absent}),
        changes=True,
    ),
    row(
        "insert: into nothing, which makes a collection",
        ask(insert({"a": 1}, into=SCRATCH), {"n": 1}),
        ask({"count": SCRATCH}, {"n": 1}),
        changes=True,
    ),
    row(
        "insert: a duplicate ends an ordered batch",
        ask(insert({"_id": 20, "k": 1}, {"_id": 1, "k": 1}, {"_id": 22, "k": 1}), {"n": 1, **failed(11000, index=1)}),
        changes=True,
    ),
    row(
        "insert: a duplicate in an unordered batch",
        ask(
            insert({"_id": 1, "k": 1}, {"_id": 22, "k": 1}, {"_id": 8, "k": 8}, ordered=False),
            {"n": 1, "writeErrors": size(2)},
        ),
        changes=True,
    ),
    row("insert: without a field of the shard key", ask(insert({"_id": 20}), {"n": 1}), changes=True),
    row("insert: nothing", ask(insert(), refused(16, 72))),
    row("insert: a list for a shard key", ask(insert({"_id": 20, "k": [1]}), either(failed(61), 61))),
    row("insert: no documents", ask({"insert": SHARDED}, refused(9, 40414))),
    row("insert: an unknown option", ask(insert({"_id": 20, "k": 1}, sorted=True), refused(9, 40415))),
    row(
        "insert: a name that is none",
        ask({"insert": "", "documents": [{}]}, refused(73)),
        ask({"insert": "$x", "documents": [{}]}, either(failed(73), 73)),
    ),
    row("insert: a view", ask(insert({"k": 1}, into=VIEW), failed(166, n=0))),
    row(
        "insert: write concerns",
        ask(insert({"_id": 20, "k": 1}, writeConcern={"w": 1}), {"n": 1}),
        ask(
            insert({"_id": 21, "k": 1}, writeConcern={"w": "majority", "wtimeout": 5000}),
            {"n": 1, "writeConcernError": Absent},
        ),
        ask(insert({"_id": 22, "k": 1}, writeConcern={"w": "nonsense"}), {"writeConcernError.code": 79}),
        ask(insert({"_id": 23, "k": 1}, writeConcern={"w": -1}), refused(9)),
        changes=True,
    ),
    row("insert: the local database is out of reach", ask(insert({"a": 1}, into="x"), refused(20, 73), "local")),
    row(
        "update: one, by the shard key",
        ask(update({"k": 1}, INC), {"n": 1, "nModified": 1, "upserted": Absent}),
        changes=True,
    ),
    row("update: one, by its id alone", ask(update({"_id": 7}, INC), {"n": 1, "nModified": 1}), changes=True),
    row("update: nothing that matches", ask(update({"k": 99}, INC), {"n": 0, "nModified": 0})),
    row("update: matched, not modified", ask(update({"k": 1}, {"$set": {"k": 1}}), {"n": 1, "nModified": 0})),
    row("update: one, by neither, is refused", ask(update({"n": 10}, INC), failed(72))),
    row("update: many", ask(update({"n": {"$gt": 30}}, SET, multi=True), {"n": 6, "nModified": 6}), changes=True),
    row(
        "update: an upsert",
        ask(update({"k": 20}, SET, upsert=True), {"n": 1, "nModified": 0, "upserted": size(1), "upserted.0.index": 0}),
        changes=True,
    ),
    row("update: an upsert without the shard key", ask(update({"n": 999}, SET, upsert=True), failed(61))),
    row(
        "update: an upsert into nothing",
        ask(update({"a": 1}, SET, SCRATCH, upsert=True), {"n": 1, "upserted": size(1)}),
        changes=True,
    ),
    row("update: a replacement", ask(update({"k": 1}, {"k": 1, "new": True}), {"n": 1, "nModified": 1}), changes=True),
    row(
        "update: a pipeline",
        ask(update({"k": 1}, [{"$set": {"n": {"$add": ["$n", 1]}}}]), {"nModified": 1}),
        changes=True,
    ),
    row(
        "update: arrayFilters",
        ask(update({"k": 1}, {"$set": {"tags.$[t]": "x"}}, arrayFilters=[{"t": "all"}]), {"nModified": 1}),
        changes=True,
    ),
    row(
        "update: a hint",
        ask(update({"k": 1}, INC, hint={"n": 1}), {"nModified": 1}),
        ask(update({"k": 1}, INC, hint="none"), failed(2)),
        changes=True,
    ),
    row(
        "update: a collation",
        ask(update({"tags": "T1"}, SET, multi=True, collation=STRENGTH_2), {"n": 1}),
        changes=True,
    ),
    row(
        "update: let",
        ask({**update({"$expr": {"$eq": ["$k", "$$w"]}}, SET, multi=True), "let": {"w": 1}}, {"n": 1}),
        since=(5, 0),
        changes=True,
    ),
    row("update: an unknown operator", ask(update({"k": 1}, {"$frob": {"n": 1}}), failed(9))),
    row("update: the id stays as it is", ask(update({"k": 1}, {"$set": {"_id": 99}}), failed(66))),
    row("update: many cannot be a replacement", ask(update({}, {"a": 1}, multi=True), failed(9, 72))),
    row("update: the shard key of many stays", ask(update({"k": 1}, {"$set": {"k": 2}}, multi=True), failed(72))),
    row(
        "update: no updates",
        ask({"update": SHARDED}, refused(9, 40414)),
        ask({"update": SHARDED, "updates": []}, refused(16, 72)),
        ask({"update": SHARDED, "updates": [{"q": {}}]}, refused(9, 40414)),
    ),
    row("delete: one, by the shard key", ask(delete({"k": 1}, 1), {"n": 1}), changes=True),
    row("delete: one, by its id alone", ask(delete({"_id": 7}, 1), {"n": 1}), changes=True),
    row("delete: one, by neither, is refused", ask(delete({"n": 10}, 1), failed(61))),
    row("delete: many", ask(delete({"n": {"$gt": 30}}), {"n": 6}), changes=True),
    row("delete: nothing that matches", ask(delete({"k": 99}), {"n": 0}), ask(delete({}, of="missing"), {"n": 0})),
    row(
        "delete: hint and collation",
        ask(delete({"tags": "T1"}, collation=STRENGTH_2), {"n": 1}),
        ask(delete({"k": 2}, hint={"n": 1}), {"n": 1}),
        changes=True,
    ),
    row("delete: a limit that is neither 0 nor 1", ask(delete({}, 2), refused(2, 9))),
    row(
        "delete: no deletes",
        ask({"delete": SHARDED}, refused(9, 40414)),
        ask({"delete": SHARDED, "deletes": []}, refused(16, 72)),
    ),
)

MODIFY = (
    row(
        "findAndModify: the old document",
        ask(modify({"k": 1}, update=INC), {"value.n": 10, "lastErrorObject": {"n": 1, "updatedExisting": True}}),
        changes=True,
    ),
    row(
        "findAndModify: the new one",
        ask(modify({"k": 1}, update=INC, new=True, fields={"n": 1}), {"value": {"_id": 1, "n": 11}}),
        changes=True,
    ),
    row(
        "findAndModify: remove",
        ask(modify({"k": 1}, remove=True), {"value._id": 1, "lastErrorObject.n": 1}),
        ask({"count": SHARDED}, {"n": 9}),
        changes=True,
    ),
    row(
        "findAndModify: upsert",
        ask(
            modify({"k": 20}, update=SET, upsert=True, new=True),
            {"value.x": 1, "lastErrorObject.upserted": lambda i: i is not None},
        ),
        changes=True,
    ),
    row(
        "findAndModify: nothing found",
        ask(modify({"k": 99}, update=SET), {"value": None, "lastErrorObject": {"n": 0, "updatedExisting": False}}),
        ask(modify({"k": 99}, remove=True), {"value": None, "lastErrorObject.n": 0}),
        ask(modify({"a": 1}, "missing", update=SET), {"value": None}),
    ),
    row(
        "findAndModify: unsharded, by sort",
        ask(modify({}, PLAIN, sort={"k": -1}, update=SET), {"value._id": 9}),
        changes=True,
    ),
    row(
        "findAndModify: into nothing",
        ask(modify({"a": 1}, SCRATCH, update=SET, upsert=True), {"value": None}),
        changes=True,
    ),
    row(
        "findAndModify: pipeline, arrayFilters, hint",
        ask(modify({"k": 1}, update=[{"$set": {"y": "$n"}}], new=True), {"value.y": 10}),
        ask(
            modify({"k": 1}, update={"$set": {"tags.$[t]": "x"}}, arrayFilters=[{"t": "all"}], new=True),
            {"value.tags": ["x", "t1"]},
        ),
        ask(modify({"k": 1}, update=SET, hint={"n": 1}), {"value._id": 1}),
        changes=True,
    ),
    row(
        "findAndModify: a collation, unsharded",
        ask(modify({"tags": "T1"}, PLAIN, update=SET, collation=STRENGTH_2), {"value._id": 1}),
        changes=True,
    ),
    row("findAndModify: without the shard key", ask(modify({"n": 10}, update=SET), refused(61))),
    row(
        "findAndModify: bad shapes",
        ask(modify({"k": 1}), refused(9)),
        ask(modify({"k": 1}, update=SET, remove=True), refused(9)),
        ask({"findAndModify": SHARDED, "query": 1, "update": SET}, refused(9, 14, 61)),
        ask(modify({"k": 1}, remove=True, new=True), refused(9)),
    ),
    row(
        "findandmodify: the same in small letters",
        ask({"findandmodify": PLAIN, "query": {"k": 1}, "update": SET}, {"value._id": 1}),
        changes=True,
    ),
)

REPEATED = (
    row(
        "insert: a repeated number is done once",
        *[ask(numbered(insert({"_id": 20, "k": 1}, {"_id": 21, "k": 21}), ONE), {"n": 2})] * 2,
        ask({"count": SHARDED}, {"n": 12}),
        changes=True,
    ),
    row(
        "update: a repeated number is done once",
        *[ask(numbered(update({"k": 1}, INC), TWO), {"n": 1, "nModified": 1})] * 2,
        ask({"find": SHARDED, "filter": {"k": 1}}, {f"{FIRST}.0.n": 11}),
        changes=True,
    ),
    row(
        "update: an older number is refused",
        ask(numbered(update({"k": 1}, INC), THREE, 5)),
        ask(numbered(update({"k": 1}, INC), THREE, 4), either(failed(225), 225)),
        changes=True,
    ),
    row(
        "findAndModify: a repeated number is done once",
        *[ask(numbered(modify({"k": 1}, update=INC, new=True), FOUR), {"value.n": 11})] * 2,
        changes=True,
    ),
    row(
        "delete: a repeated number is done once",
        *[ask(numbered(delete({"k": 1}, 1), FIVE), {"n": 1})] * 2,
        changes=True,
    ),
    row(
        "update: many cannot be numbered", ask(numbered(update({}, INC, multi=True), session()), either(failed(72), 72))
    ),
    row("insert: a number without a session", ask({**insert({"k": 1}), "txnNumber": Int64(1), "lsid": 0}, refused(14))),
)


def committed(of: dict[str, Any]) -> dict[str, Any]:
    return numbered({"commitTransaction": 1}, of, **GO_ON)


# By documents: a count of everything counts what is not committed too.
COUNT = {"count": SHARDED, "query": {"k": {"$gte": 0}}}
SIX, SEVEN, EIGHT, NINE, TEN = (session() for _ in range(5))
TRANSACTIONS = (
    row(
        "commitTransaction: over two shards",
        ask(numbered(insert({"_id": 20, "k": 1}), SIX, **BEGIN), {"n": 1, "recoveryToken": dict}),
        ask(numbered(insert({"_id": 21, "k": 21}), SIX, **GO_ON), {"n": 1}),
        ask(COUNT, {"n": 10}),
        admin(committed(SIX), {"ok": 1}),
        ask(COUNT, {"n": 12}),
        admin(committed(SIX), {"ok": 1}),
        changes=True,
    ),
    row(
        "commitTransaction: of reads",
        ask(numbered({"find": SHARDED, "sort": {"k": 1}}, SEVEN, **BEGIN), {FIRST: size(10)}),
        admin(committed(SEVEN)),
    ),
    row(
        "abortTransaction: nothing is left",
        ask(numbered(insert({"_id": 20, "k": 1}), EIGHT, **BEGIN), {"n": 1}),
        admin(numbered({"abortTransaction": 1}, EIGHT, **GO_ON)),
        ask(COUNT, {"n": 10}),
        admin(committed(EIGHT), refused(251)),
    ),
    row(
        "insert: a transaction that never began",
        ask(numbered(insert({"_id": 20, "k": 1}), NINE, **GO_ON), refused(251)),
    ),
    row("count: not in a transaction", ask(numbered({"count": SHARDED}, TEN, **BEGIN), refused(263, 50768))),
)
ROWS = (*WRITES, *MODIFY, *REPEATED, *TRANSACTIONS)

"""Least privilege, tried: what the API's and the worker's database users may not do is refused by the servers."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from cluster.local import LocalCluster
from cluster.roles import MONITOR, WORKER

Db = Database[dict[str, Any]]

UNAUTHORIZED = 13
FORBIDDEN: dict[str, Callable[[Db], object]] = {
    "create a collection": lambda db: db.create_collection("intruder"),
    "drop a collection": lambda db: db.drop_collection("tasks"),
    "create an index": lambda db: db["tasks"].create_index("title"),
    "drop an index": lambda db: db.command("dropIndexes", "tasks", index="*"),
    "change a validator": lambda db: db.command("collMod", "tasks", validator={}),
    "skip a validator": lambda db: db.command("insert", "tasks", documents=[{"_id": 1}], bypassDocumentValidation=True),
    "write with $out": lambda db: list(db["tasks"].aggregate([{"$out": "intruder"}])),
    "write with $merge": lambda db: list(db["tasks"].aggregate([{"$merge": "intruder"}])),
    "read an undeclared collection": lambda db: db["intruder"].find_one(),
    "write an undeclared collection": lambda db: db["intruder"].insert_one({}),
    "read another database": lambda db: db.client["other"]["tasks"].find_one(),
    "write another database": lambda db: db.client["other"]["tasks"].insert_one({}),
    "read the users of the database": lambda db: db.client["admin"]["system.users"].find_one(),
    "read the routing metadata": lambda db: db.client["config"]["chunks"].find_one(),
    "join an undeclared collection": lambda db: list(
        db["tasks"].aggregate(
            [{"$lookup": {"from": "intruder", "localField": "_id", "foreignField": "_id", "as": "x"}}]
        )
    ),
    "list the shards": lambda db: db.client.admin.command("listShards"),
    "create a user": lambda db: db.client.admin.command("createUser", "intruder", pwd="intruder", roles=["root"]),
    "change the audit trail": lambda db: db["audit"].update_one({"_id": 1}, {"$set": {"action": "x"}}),
    "replace in the audit trail": lambda db: db["audit"].find_one_and_replace({"_id": 1}, {"action": "x"}),
    "put into the audit trail what may be there": lambda db: db["audit"].update_one({"_id": 1}, {"$set": {}}, True),
    "remove from the audit trail": lambda db: db["audit"].delete_one({"_id": 1}),
    "empty the audit trail": lambda db: db["audit"].delete_many({}),
    "drop the audit trail": lambda db: db.drop_collection("audit"),
    "expire the audit trail": lambda db: db.command(
        "collMod", "audit", index={"name": "at_1", "expireAfterSeconds": 1}
    ),
    "rename the audit trail": lambda db: db.client.admin.command("renameCollection", f"{db.name}.audit", to="a.b"),
    "note a migration": lambda db: db["migrations"].insert_one({"_id": 1}),
}


@pytest.fixture(scope="module")
def worker_db(cluster: LocalCluster) -> Iterator[Db]:
    """The application's database as the worker's user."""
    with MongoClient[dict[str, Any]](cluster.uri(WORKER)) as opened:
        yield opened[cluster.database]


def deeds(*allowed: str) -> list[Any]:
    """Every forbidden deed but those that are allowed after all."""
    return [name for name in FORBIDDEN if name not in allowed]


@pytest.mark.parametrize("deed", deeds())
def test_the_api_user_may_not(db: Db, deed: str) -> None:
    """Refused with Unauthorized, whatever the reason that somebody tries."""
    with pytest.raises(OperationFailure) as refused:
        FORBIDDEN[deed](db)

    assert refused.value.code == UNAUTHORIZED


def test_the_api_may_not_move_the_writer_of_the_trail_on(db: Db) -> None:
    """It would leave out of the trail what it passes over."""
    with pytest.raises(OperationFailure) as refused:
        db["followers"].update_one({"_id": "audit"}, {"$set": {"resume_token": None}})

    assert refused.value.code == UNAUTHORIZED


@pytest.mark.parametrize("deed", deeds("read an undeclared collection", "join an undeclared collection"))
def test_the_worker_may_not(worker_db: Db, deed: str) -> None:
    """The worker reads the whole database, which one change stream needs, and may change no more than the API."""
    with pytest.raises(OperationFailure) as refused:
        FORBIDDEN[deed](worker_db)

    assert refused.value.code == UNAUTHORIZED


def test_the_monitor_reads_no_document(cluster: LocalCluster) -> None:
    """It sees states and sizes only."""
    with (
        MongoClient[dict[str, Any]](cluster.uri(MONITOR)) as client,
        pytest.raises(OperationFailure) as refused,
    ):
        client[cluster.database]["users"].find_one()

    assert refused.value.code == UNAUTHORIZED


def test_javascript_is_off(db: Db) -> None:
    """`$where` and `$function` run nowhere: every node is started without a scripting engine."""
    # A document, because a shard that has nothing to look at evaluates nothing.
    key = {"_id": f"test:{ObjectId()}"}
    db["user_claims"].insert_one({**key, "user_id": ObjectId(), "created_at": datetime.now(UTC)})
    for query in ({"$where": "true"}, {"$expr": {"$function": {"body": "f", "args": [], "lang": "js"}}}):
        with pytest.raises(OperationFailure):
            db["user_claims"].find_one({**key, **query})
    db["user_claims"].delete_one(key)


def test_a_wrong_password_is_refused(cluster: LocalCluster) -> None:
    """Authentication is on at the routers."""
    address = cluster.cluster.routers_address
    with (
        MongoClient[dict[str, Any]](f"mongodb://shardboard_api:wrong@{address}/") as client,
        pytest.raises(OperationFailure, match="(?i)authentication failed"),
    ):
        client[cluster.database]["tasks"].find_one()

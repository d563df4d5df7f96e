"""Least privilege, tried: what the API's and the worker's database users may not do is refused by the servers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from cluster.collections import COLLECTIONS
from cluster.local import LocalCluster
from cluster.roles import API, MONITOR, WORKER

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
    "write with $out elsewhere": lambda db: list(db["tasks"].aggregate([{"$out": {"db": "other", "coll": "tasks"}}])),
    "write with $merge elsewhere": lambda db: list(
        db["tasks"].aggregate([{"$merge": {"into": {"db": "other", "coll": "tasks"}}}])
    ),
    "write the audit trail with $merge": lambda db: list(db["tasks"].aggregate([{"$merge": "audit"}])),
    "write the audit trail with $out": lambda db: list(db["tasks"].aggregate([{"$out": "audit"}])),
    "write the history of migrations with $merge": lambda db: list(db["tasks"].aggregate([{"$merge": "migrations"}])),
    "write a user into the database's own": lambda db: db.client["admin"]["system.users"].insert_one({"_id": "x"}),
    "write the routing metadata": lambda db: db.client["config"]["settings"].update_one(
        {"_id": "balancer"}, {"$set": {"stopped": True}}
    ),
    "rename a collection": lambda db: db.client.admin.command("renameCollection", f"{db.name}.tasks", to="x.tasks"),
    "drop the database": lambda db: db.client.drop_database(db.name),
    "make a view": lambda db: db.command("create", "seen", viewOn="users", pipeline=[]),
    "list the collections": lambda db: db.command("listCollections"),
    "see the operations of others": lambda db: list(db.client.admin.aggregate([{"$currentOp": {"allUsers": True}}])),
    "see operations": lambda db: db.client.admin.command("currentOp"),
    "kill an operation": lambda db: db.client.admin.command("killOp", op="shard-1:1"),
    "kill everybody's sessions": lambda db: db.client.admin.command("killAllSessions", []),
    "change a parameter": lambda db: db.client.admin.command("setParameter", logLevel=1),
    "read the parameters": lambda db: db.client.admin.command("getParameter", "*"),
    "read the command line": lambda db: db.client.admin.command("getCmdLineOpts"),
    "read the log": lambda db: db.client.admin.command("getLog", "global"),
    "read the server's state": lambda db: db.client.admin.command("serverStatus"),
    "list the shards": lambda db: db.client.admin.command("listShards"),
    "add a shard": lambda db: db.client.admin.command("addShard", "shard-9/127.0.0.1:9"),
    "remove a shard": lambda db: db.client.admin.command("removeShard", "shard-1"),
    "stop the balancer": lambda db: db.client.admin.command("balancerStop"),
    "shard a collection": lambda db: db.client.admin.command("shardCollection", f"{db.name}.x", key={"_id": "hashed"}),
    "split a range": lambda db: db.client.admin.command("split", f"{db.name}.users", middle={"_id": 1}),
    "change the default concern": lambda db: db.client.admin.command(
        "setDefaultRWConcern", 1, defaultWriteConcern={"w": 1}
    ),
    "see another user": lambda db: db.client.admin.command("usersInfo", "shardboard_admin_a"),
    "change a password": lambda db: db.client.admin.command("updateUser", "shardboard_admin_a", pwd="intruder"),
    "become root": lambda db: db.client.admin.command(
        "grantRolesToUser", "shardboard_api_a", roles=[{"role": "root", "db": "admin"}]
    ),
    "widen its own role": lambda db: db.client.admin.command(
        "grantRolesToRole", "shardboard_api", roles=[{"role": "root", "db": "admin"}]
    ),
    "drop a user": lambda db: db.client.admin.command("dropUser", "shardboard_monitor_a"),
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


# What clusterMonitor and reading `config` are for.
SEEN_BY_THE_MONITOR = (
    "read the routing metadata",
    "list the collections",
    "see the operations of others",
    "see operations",
    "read the parameters",
    "read the command line",
    "read the log",
    "read the server's state",
    "list the shards",
)


@pytest.fixture(scope="module")
def monitor_db(cluster: LocalCluster) -> Iterator[Db]:
    """The application's database as the monitor's user."""
    with MongoClient[dict[str, Any]](cluster.uri(MONITOR)) as opened:
        yield opened[cluster.database]


@pytest.fixture(scope="module")
def worker_db(cluster: LocalCluster) -> Iterator[Db]:
    """The application's database as the worker's user."""
    with MongoClient[dict[str, Any]](cluster.uri(WORKER)) as opened:
        yield opened[cluster.database]


def deeds(*allowed: str) -> list[Any]:
    """Every forbidden deed but those that are allowed after all."""
    return [name for name in FORBIDDEN if name not in allowed]


# A change stream of several collections takes the right to read the whole database.
READS = ("read an undeclared collection", "join an undeclared collection")


@pytest.mark.parametrize("deed", deeds(*READS))
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


@pytest.mark.parametrize("deed", deeds(*READS))
def test_the_worker_may_not(worker_db: Db, deed: str) -> None:
    """It may change no more than the API."""
    with pytest.raises(OperationFailure) as refused:
        FORBIDDEN[deed](worker_db)

    assert refused.value.code == UNAUTHORIZED


@pytest.mark.parametrize("deed", deeds(*SEEN_BY_THE_MONITOR))
def test_the_monitor_may_not(monitor_db: Db, deed: str) -> None:
    """It sees states, sizes and names, no document of the application, and changes nothing."""
    with pytest.raises(OperationFailure) as refused:
        FORBIDDEN[deed](monitor_db)

    assert refused.value.code == UNAUTHORIZED


@pytest.mark.parametrize("name", [collection.name for collection in COLLECTIONS])
def test_the_monitor_reads_and_writes_no_document(monitor_db: Db, name: str) -> None:
    """Of any collection."""
    for deed in (monitor_db[name].find_one, lambda: monitor_db[name].insert_one({"_id": 1})):
        with pytest.raises(OperationFailure) as refused:
            deed()
        assert refused.value.code == UNAUTHORIZED


def test_no_member_lets_the_first_comer_in(small_cluster: LocalCluster) -> None:
    """Before a user exists, a caller from the same machine could make one: the exception for localhost is off."""
    for node in small_cluster.cluster.members:
        small_cluster.nodes.start(node)
        with MongoClient[dict[str, Any]](node.host, node.port, directConnection=True) as stranger:
            with pytest.raises(OperationFailure) as refused:
                stranger.admin.command("createUser", "intruder", pwd="intruder", roles=["root"])
            assert refused.value.code == UNAUTHORIZED
            with pytest.raises(OperationFailure) as refused:
                stranger.admin.command("replSetInitiate")
            assert refused.value.code == UNAUTHORIZED


def test_a_wrong_password_is_refused(cluster: LocalCluster) -> None:
    """Authentication is on at the routers."""
    address = cluster.cluster.routers[0].address
    with (
        MongoClient[dict[str, Any]](address, **replace(cluster.login(API), password="wrong").options()) as client,
        pytest.raises(OperationFailure, match="(?i)authentication failed"),
    ):
        client[cluster.database]["tasks"].find_one()

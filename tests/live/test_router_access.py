"""Who a router lets in, and that one client cannot reach what is another's."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from bson import Binary, Int64, ObjectId, Timestamp
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from scratch import BY_OWNER, DATABASE, router_client, sharded

from cluster.local import LocalCluster
from cluster.roles import ADMIN

UNAUTHORIZED = 13
AUTHENTICATION_FAILED = 18
# Longer than a router keeps privileges.
FORGET_LIMIT_S = 40


def client_as(cluster: LocalCluster, name: str | None = None, password: str | None = None, **given: Any):
    """A client of the first router, as somebody or nobody."""
    address, tls = cluster.cluster.routers[0].address, cluster.login(ADMIN).tls_options()
    return MongoClient[Any](address, username=name, password=password, **tls, **given)


@pytest.fixture
def guest(cluster: LocalCluster, admin_client: MongoClient[Any]) -> Iterator[MongoClient[Any]]:
    """A user who may read and write the scratch database, and nothing else; alone on the first router."""
    name = f"guest_{uuid.uuid4().hex[:8]}"
    roles = [{"role": "readWrite", "db": DATABASE}]
    admin_client.admin.command("createUser", name, pwd="long enough", roles=roles)
    with client_as(cluster, name, "long enough") as client:
        yield client
    if admin_client.admin.command("usersInfo", name)["users"]:
        admin_client.admin.command("dropUser", name)


def code_of(call: Any) -> int:
    with pytest.raises(OperationFailure) as caught:
        call()
    assert caught.value.code is not None
    return caught.value.code


def test_nothing_is_served_before_a_login(cluster: LocalCluster):
    """But what a driver needs to get there."""
    with client_as(cluster) as client:
        assert client.admin.command("ping")["ok"] == 1
        assert client.admin.command("hello")["msg"] == "isdbgrid"
        for call in (
            lambda: client[DATABASE].things.find_one(),
            lambda: client[DATABASE].things.insert_one({}),
            lambda: client.admin.command("listShards"),
            lambda: client.admin.command("serverStatus"),
            lambda: client.admin.command("createUser", "x", pwd="x", roles=["root"]),
        ):
            assert code_of(call) == UNAUTHORIZED


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1"])
def test_a_wrong_password_is_refused(cluster: LocalCluster, mechanism: str):
    """As is a user who does not exist; the answer is the same."""
    answers = set()
    for name in ("shardboard_admin_a", "nobody"):
        with client_as(cluster, name, "wrong", authMechanism=mechanism) as client:
            answers.add(code_of(lambda client=client: client.admin.command("listShards")))
    assert answers == {AUTHENTICATION_FAILED}


def test_the_members_own_identity_is_refused(cluster: LocalCluster):
    """`__system` lives in `local`, which no router serves."""
    own = {"authSource": "local", "authMechanism": "SCRAM-SHA-256"}
    with client_as(cluster, "__system", cluster.secrets.system_password, **own) as client:
        assert code_of(lambda: client.admin.command("listShards")) in (20, AUTHENTICATION_FAILED)


def test_a_user_is_held_to_its_privileges(guest: MongoClient[Any], admin_client: MongoClient[Any]):
    """In its own database everything, elsewhere nothing."""
    with sharded(admin_client) as things:
        mine = guest[DATABASE][things.name]
        mine.insert_one({"_id": 1})
        assert mine.find_one() == {"_id": 1}
        for call in (
            lambda: guest.shardboard.tasks.find_one(),
            lambda: guest.config.shards.find_one(),
            lambda: guest.admin.command("addShard", "x/127.0.0.1:1"),
            lambda: guest.admin.command("balancerStop"),
            lambda: guest.admin.command("shardCollection", f"{DATABASE}.x", key={"_id": 1}),
            lambda: list(mine.aggregate([{"$out": {"db": "shardboard", "coll": "tasks"}}])),
            lambda: list(mine.aggregate([{"$facet": {"a": [{"$lookup": {"from": {"db": "shardboard", "coll": "tasks"},
                                                                        "pipeline": [], "as": "x"}}]}}])),
            lambda: guest.shardboard.command("explain", {"find": "tasks"}),
        ):  # fmt: skip
            with pytest.raises(OperationFailure):
                call()


def test_a_list_of_databases_shows_only_ones_own(guest: MongoClient[Any], admin_client: MongoClient[Any]):
    """Names are data too."""
    with sharded(admin_client) as things:
        things.insert_one({})
        assert DATABASE in guest.list_database_names()
        assert "shardboard" not in guest.list_database_names()


def test_a_dropped_user_loses_access(guest: MongoClient[Any], admin_client: MongoClient[Any]):
    """On connections that it has open, within the time that routers keep privileges."""
    assert guest[DATABASE].things.find_one() is None
    name = guest.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"][0]["user"]
    admin_client.admin.command("dropUser", name)
    deadline = time.monotonic() + FORGET_LIMIT_S
    while True:
        try:
            guest[DATABASE].things.find_one()
        except OperationFailure as error:
            assert error.code in (UNAUTHORIZED, AUTHENTICATION_FAILED, 11)
            return
        assert time.monotonic() < deadline, f"a dropped user still reads after {FORGET_LIMIT_S} s"


def test_a_cursor_belongs_to_its_user(cluster: LocalCluster, guest: MongoClient[Any], admin_client: MongoClient[Any]):
    """Nobody reads on another's cursor, nor ends it, also one who may read the collection."""
    with sharded(admin_client) as things, router_client(cluster, 0) as owner:
        things.insert_many([{} for _ in range(20)])
        cursor = owner[DATABASE].command("find", things.name, batchSize=2)["cursor"]["id"]
        for call in (
            lambda: guest[DATABASE].command({"getMore": Int64(cursor), "collection": things.name}),
            lambda: guest[DATABASE].command("killCursors", things.name, cursors=[cursor]),
        ):
            assert code_of(call) == UNAUTHORIZED
        assert owner[DATABASE].command("killCursors", things.name, cursors=[cursor])["cursorsKilled"] == [cursor]


def test_a_session_belongs_to_its_user(guest: MongoClient[Any], admin_client: MongoClient[Any]):
    """Two users who chose the same session id do not meet."""
    with sharded(admin_client) as things:
        command = {"insert": things.name, "documents": [{"_id": 1}], "lsid": {"id": Binary.from_uuid(uuid.uuid4())},
                   "txnNumber": Int64(5)}  # fmt: skip
        for number, client in enumerate((admin_client, guest)):
            with client._conn_for_writes(None, "raw") as connection:  # pymongo would number the statement itself
                connection.command(DATABASE, {**command, "documents": [{"_id": number}]})
        assert things.count_documents({}) == 2


@pytest.mark.parametrize(
    "field",
    [{"shardVersion": {"e": ObjectId(), "t": Timestamp(0, 0), "v": Timestamp(0, 0)}},
     {"stmtIds": [7]}, {"$audit": {"$impersonatedUsers": [{"user": "shardboard_admin_a", "db": "admin"}]}},
     {"$topologyTime": Timestamp(9, 9)}],
    ids=lambda field: next(iter(field)),
)  # fmt: skip
def test_what_members_say_to_each_other_is_not_taken_from_a_client(
    admin_client: MongoClient[Any], field: dict[str, Any]
):
    """It is left out or refused; it never gets through to a member."""
    with sharded(admin_client, BY_OWNER) as things:
        command = {"insert": things.name, "documents": [{"_id": 1, "owner_id": ObjectId()}], **field}
        try:
            admin_client[DATABASE].command(command)
        except OperationFailure as error:
            assert error.code != 0
            return
        assert things.count_documents({}) == 1


def test_scripts_are_not_run(admin_client: MongoClient[Any]):
    """`$where` is refused by every shard and router: `--noscripting`."""
    with sharded(admin_client) as things:
        things.insert_one({})
        with pytest.raises(OperationFailure):
            things.find_one({"$where": "true"})
        with pytest.raises(OperationFailure):
            list(
                things.aggregate(
                    [{"$project": {"x": {"$function": {"body": "function() {}", "args": [], "lang": "js"}}}}]
                )
            )


@pytest.fixture
def user_admin(cluster: LocalCluster, admin_client: MongoClient[Any]) -> Iterator[MongoClient[Any]]:
    """Who manages the users and roles of the scratch database, and may make views there, and nothing else."""
    name = f"keeper_{uuid.uuid4().hex[:8]}"
    views = {"resource": {"db": DATABASE, "collection": "keepers_view"}, "actions": ["find", "createCollection"]}
    scratch = admin_client[DATABASE]
    scratch.command("createRole", name, privileges=[views], roles=["userAdmin"])
    scratch.command("createUser", name, pwd="long enough", roles=[name])
    with client_as(cluster, name, "long enough", authSource=DATABASE) as client:
        yield client
    scratch.command("dropUser", name)
    scratch.command("dropRole", name)


def test_nobody_hands_out_what_belongs_to_another_database(user_admin: MongoClient[Any]):
    """Not to a new user, not to itself, not by a role."""
    mine, me = user_admin[DATABASE], user_admin.options.pool_options._credentials.username
    root = {"role": "root", "db": "admin"}
    everything = {"resource": {"db": "", "collection": ""}, "actions": ["find"]}
    for call in (
        lambda: mine.command("createUser", "puppet", pwd="long enough", roles=[root]),
        lambda: mine.command("grantRolesToUser", me, roles=[root]),
        lambda: mine.command("updateUser", me, roles=[root]),
        lambda: mine.command("createRole", "puppet", privileges=[], roles=[root]),
        lambda: mine.command("createRole", "puppet", privileges=[everything], roles=[]),
        lambda: mine.command("grantRolesToRole", me, roles=[root]),
        lambda: mine.command("grantPrivilegesToRole", me, privileges=[everything]),
    ):
        assert code_of(call) == UNAUTHORIZED
    mine.command("createUser", "puppet", pwd="long enough", roles=["read"])
    mine.command("dropUser", "puppet")


def test_users_of_another_database_are_not_shown(user_admin: MongoClient[Any], guest: MongoClient[Any]):
    """But everybody sees itself."""
    mine = user_admin[DATABASE]
    assert len(mine.command("usersInfo", 1)["users"]) == 1
    other = {"user": "shardboard_admin_a", "db": "admin"}
    for wanted in (other, [other], {"forAllDBs": True}):
        assert code_of(lambda wanted=wanted: mine.command("usersInfo", wanted, showCredentials=True)) == UNAUTHORIZED
    name = guest.options.pool_options._credentials.username
    assert guest.admin.command("usersInfo", name)["users"][0]["user"] == name


def test_a_view_opens_no_door(user_admin: MongoClient[Any]):
    """Who may not read a collection may not make a view of it."""
    mine = user_admin[DATABASE]
    assert code_of(lambda: mine.command("create", "keepers_view", viewOn="secrets", pipeline=[])) == UNAUTHORIZED


def test_a_stream_of_the_whole_cluster_needs_the_whole_cluster(
    cluster: LocalCluster, admin_client: MongoClient[Any], guest: MongoClient[Any]
):
    """To read `admin` is not enough."""
    name = guest.options.pool_options._credentials.username
    admin_client.admin.command("grantRolesToUser", name, roles=[{"role": "read", "db": "admin"}])
    router_client(cluster, 0).admin.command("invalidateUserCache")
    assert guest.admin.things.find_one() is None
    with pytest.raises(OperationFailure) as caught:
        guest.watch()
    assert caught.value.code == UNAUTHORIZED

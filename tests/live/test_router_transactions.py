"""Transactions through a router: one shard and several, commits that arrive elsewhere, and what they read."""

import uuid
from typing import Any

import pytest
from bson import Binary, Int64, ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure
from pymongo.read_concern import ReadConcern
from scratch import BY_OWNER, chunks, move_chunk, one_id_each, owner_of, router_client, sharded, shards_of

from cluster.local import LocalCluster


@pytest.fixture
def things(admin_client: MongoClient[Any]):
    """A collection sharded by its hashed id."""
    with sharded(admin_client) as collection:
        collection.insert_one({"_id": "seed"})
        yield collection


def test_a_commit_over_two_shards_is_all_or_nothing(admin_client: MongoClient[Any], things: Collection[Any]):
    """Before the commit nobody else sees anything, after it everybody sees everything."""
    ids = one_id_each(admin_client, things)
    with admin_client.start_session() as session:
        session.start_transaction()
        for key in ids:
            things.insert_one({"_id": key}, session=session)
        assert things.count_documents({"_id": {"$in": ids}}) == 0
        session.commit_transaction()
    assert things.count_documents({"_id": {"$in": ids}}) == len(ids)


def test_an_abort_leaves_nothing(admin_client: MongoClient[Any], things: Collection[Any]):
    """On no shard."""
    ids = one_id_each(admin_client, things)
    with admin_client.start_session() as session:
        session.start_transaction()
        things.insert_many([{"_id": key} for key in ids], session=session)
        session.abort_transaction()
    assert things.count_documents({"_id": {"$in": ids}}) == 0


def test_an_error_on_one_shard_undoes_the_others(admin_client: MongoClient[Any], things: Collection[Any]):
    """A duplicate on the second shard takes the first shard's insert with it."""
    first, second = one_id_each(admin_client, things)
    things.insert_one({"_id": second})
    with pytest.raises(DuplicateKeyError), admin_client.start_session() as session, session.start_transaction():
        things.insert_one({"_id": first}, session=session)
        things.insert_one({"_id": second}, session=session)
    assert things.count_documents({"_id": first}) == 0


def test_a_transaction_reads_its_own_writes(admin_client: MongoClient[Any], things: Collection[Any]):
    """By key from one shard, and merged in order from several."""
    ids = one_id_each(admin_client, things) + one_id_each(admin_client, things)
    with admin_client.start_session() as session, session.start_transaction(read_concern=ReadConcern("snapshot")):
        things.insert_many([{"_id": key, "n": n, "even": n % 2 == 0} for n, key in enumerate(ids)], session=session)
        assert things.find_one({"_id": ids[0]}, session=session)["n"] == 0
        merged = things.find({"n": {"$exists": True}}, session=session).sort([("even", -1), ("n", -1)])
        assert [document["n"] for document in merged] == [2, 0, 3, 1]
        page = things.find({"n": {"$exists": True}}, session=session).sort("n", 1).skip(1).limit(2)
        assert [document["n"] for document in page] == [1, 2]
        assert "$sortKey" not in things.find_one({"n": 3}, session=session, sort=[("n", 1)])


def test_a_snapshot_does_not_see_what_came_later(admin_client: MongoClient[Any], things: Collection[Any]):
    """On every shard, also on one that is first read after the other write."""
    first, second = one_id_each(admin_client, things)
    things.insert_many([{"_id": first, "n": 0}, {"_id": second, "n": 0}])
    with admin_client.start_session() as session, session.start_transaction(read_concern=ReadConcern("snapshot")):
        assert things.find_one({"_id": first}, session=session)["n"] == 0
        things.update_one({"_id": second}, {"$set": {"n": 1}})
        assert things.find_one({"_id": second}, session=session)["n"] == 0


def test_a_commit_at_another_router_finds_the_outcome(cluster: LocalCluster, admin_client: MongoClient[Any], things):
    """A driver whose router died repeats the commit at the next one, with the recovery token."""
    ids = one_id_each(admin_client, things)
    session = {"id": Binary.from_uuid(uuid.uuid4())}
    with router_client(cluster, 0) as one, router_client(cluster, 1) as other:
        envelope = {"lsid": session, "txnNumber": Int64(1), "autocommit": False}
        for number, key in enumerate(ids):
            start = {"startTransaction": True} if number == 0 else {}
            answer = raw(
                one, things.database.name, {"insert": things.name, "documents": [{"_id": key}], **envelope, **start}
            )
        token = answer["recoveryToken"]
        assert token["recoveryShardId"] in shards_of(admin_client)
        commit = {"commitTransaction": 1, **envelope, "recoveryToken": token, "writeConcern": {"w": "majority"}}
        raw(one, "admin", commit)
        raw(other, "admin", commit)
        assert things.count_documents({"_id": {"$in": ids}}) == len(ids)


def test_a_commit_of_what_was_never_committed_is_refused_elsewhere(cluster: LocalCluster, admin_client, things):
    """The coordinator answers for a transaction that its router took with it: aborted, safe to run again."""
    ids = one_id_each(admin_client, things)
    session = {"id": Binary.from_uuid(uuid.uuid4())}
    with router_client(cluster, 0) as one, router_client(cluster, 1) as other:
        envelope = {"lsid": session, "txnNumber": Int64(1), "autocommit": False}
        body = {"insert": things.name, "documents": [{"_id": ids[0]}], **envelope, "startTransaction": True}
        token = raw(one, things.database.name, body)["recoveryToken"]
        with pytest.raises(OperationFailure) as caught:
            raw(other, "admin", {"commitTransaction": 1, **envelope, "recoveryToken": token})
        assert caught.value.code == 251
        assert caught.value.has_error_label("TransientTransactionError")
    assert things.count_documents({"_id": ids[0]}) == 0


def raw(client: MongoClient[Any], database: str, command: dict[str, Any]) -> dict[str, Any]:
    """A command as it stands; see `send_raw` of the write tests."""
    with client._conn_for_writes(None, "raw") as connection:
        return dict(connection.command(database, command))


def test_two_transactions_that_meet_are_told_apart(admin_client: MongoClient[Any], things: Collection[Any]):
    """The second one fails as transient, and `with_transaction` runs it again."""
    key = ObjectId()
    things.insert_one({"_id": key, "n": 0})
    with admin_client.start_session() as first, admin_client.start_session() as second:
        first.start_transaction()
        things.update_one({"_id": key}, {"$inc": {"n": 1}}, session=first)
        second.start_transaction()
        with pytest.raises(OperationFailure) as caught:
            things.update_one({"_id": key}, {"$inc": {"n": 1}}, session=second)
        assert caught.value.code == 112
        assert caught.value.has_error_label("TransientTransactionError")
        first.commit_transaction()
        second.abort_transaction()
        second.with_transaction(lambda s: things.update_one({"_id": key}, {"$inc": {"n": 1}}, session=s))
    assert things.find_one({"_id": key})["n"] == 2


def test_a_range_moved_between_two_statements_loses_nothing(admin_client: MongoClient[Any]):
    """The transaction either commits whole or is run again whole."""
    with sharded(admin_client, BY_OWNER) as things:
        owner = ObjectId()
        things.insert_one({"owner_id": owner, "n": 0})
        moved = []

        def twice(session: Any) -> None:
            things.update_one({"owner_id": owner, "_id": key}, {"$inc": {"n": 1}}, session=session)
            if not moved:
                other = ids_elsewhere(things, owner, admin_client)
                moved.append(other)
            things.insert_one({"owner_id": moved[0], "_id": ObjectId()}, session=session)

        key = things.find_one({"owner_id": owner})["_id"]
        with admin_client.start_session() as session:
            session.with_transaction(twice)
        assert things.find_one({"owner_id": owner, "_id": key})["n"] == 1
        assert things.count_documents({"owner_id": moved[0]}) == 1


def ids_elsewhere(things: Collection[Any], owner: ObjectId, client: MongoClient[Any]) -> ObjectId:
    """An owner on the other shard, whose range is then moved to `owner`'s shard."""
    home = owner_of(things, {"owner_id": owner})
    candidate = ObjectId()
    while owner_of(things, {"owner_id": candidate}) == home:
        candidate = ObjectId()
    for chunk in chunks(client, things):
        if chunk["shard"] != home:
            move_chunk(client, things, chunk, home)
    return candidate


def test_a_session_reads_its_writes_through_another_router(cluster: LocalCluster, things: Collection[Any]):
    """With the cluster's and the operation's time carried over, whatever router and shard."""
    with router_client(cluster, 0) as one, router_client(cluster, 1) as other:
        mine, theirs = (c[things.database.name][things.name] for c in (one, other))
        for n in range(30):
            with one.start_session() as writer, other.start_session() as reader:
                mine.update_one({"_id": f"k{n % 4}"}, {"$set": {"n": n}}, upsert=True, session=writer)
                reader.advance_cluster_time(writer.cluster_time)
                reader.advance_operation_time(writer.operation_time)
                assert theirs.find_one({"_id": f"k{n % 4}"}, session=reader)["n"] == n


def test_a_forged_cluster_time_is_refused(cluster: LocalCluster, things: Collection[Any]):
    """A client cannot push the cluster's clock into the future."""
    with router_client(cluster, 0) as client, client.start_session() as session:
        collection = client[things.database.name][things.name]
        collection.find_one({}, session=session)
        forged = {**session.cluster_time}
        forged["clusterTime"] = type(forged["clusterTime"])(forged["clusterTime"].time + 3600, 1)
        session.advance_cluster_time(forged)
        with pytest.raises(OperationFailure) as caught:
            collection.find_one({}, session=session)
        assert caught.value.code == 204

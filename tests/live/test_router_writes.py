"""Writes through a router: where they land, that a repetition is none, and that nothing is lost when ranges move."""

import random
import threading
import uuid
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, MinKey, ObjectId, Timestamp
from pymongo import MongoClient, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError
from scratch import BY_OWNER, DATABASE, chunks, move_chunk, one_id_each, owner_of, router_client, sharded, shards_of

from cluster.local import LocalCluster
from cluster.roles import ADMIN

MOVES = 10
SHARD_KEY_NOT_FOUND = 61
WRITERS = 4


def test_documents_are_spread_over_the_shards(admin_client: MongoClient[Any]):
    """A hashed key spreads from the first document on, and every document has one owner."""
    with sharded(admin_client) as things:
        things.insert_many([{"n": n} for n in range(200)])
        stats = things.aggregate([{"$collStats": {"count": {}}}])
        counts = {part["shard"]: part["count"] for part in stats}
        assert sorted(counts) == shards_of(admin_client)
        assert all(counts.values())
        assert sum(counts.values()) == things.count_documents({}) == 200


def test_a_keyed_read_goes_to_one_shard(admin_client: MongoClient[Any]):
    """With the whole key or its first field; anything else is merged from all shards."""
    with sharded(admin_client, BY_OWNER) as things:
        owner = ObjectId()
        stages = {
            name: things.find(query).explain()["queryPlanner"]["winningPlan"]["stage"]
            for name, query in {
                "owner": {"owner_id": owner},
                "whole key": {"owner_id": owner, "_id": ObjectId()},
                "id alone": {"_id": ObjectId()},
                "all": {},
            }.items()
        }
        assert stages == {
            "owner": "SINGLE_SHARD",
            "whole key": "SINGLE_SHARD",
            "id alone": "SHARD_MERGE",
            "all": "SHARD_MERGE",
        }


def test_a_repeated_statement_is_applied_once(admin_client: MongoClient[Any]):
    """What a driver does when an answer was lost: the same command, with the same number, over two shards."""
    with sharded(admin_client) as things:
        ids = one_id_each(admin_client, things)
        things.insert_many([{"_id": key, "n": 0} for key in ids])
        updates = [{"q": {"_id": key}, "u": {"$inc": {"n": 1}}} for key in ids]
        command = {"update": things.name, "updates": updates, "lsid": new_session(), "txnNumber": Int64(1)}
        answers = [send_raw(things, command) for _ in range(3)]
        assert [answer["n"] for answer in answers] == [2, 2, 2]
        assert [document["n"] for document in things.find()] == [1, 1]


def test_a_batch_split_by_shard_is_repeated_statement_by_statement(admin_client: MongoClient[Any]):
    """A repetition whose second half had not been done: only that half is applied."""
    with sharded(admin_client) as things:
        first, second = one_id_each(admin_client, things)
        envelope = {"insert": things.name, "lsid": new_session(), "txnNumber": Int64(1)}
        send_raw(things, {**envelope, "documents": [{"_id": first}]})
        answer = send_raw(things, {**envelope, "documents": [{"_id": first}, {"_id": second}]})
        assert answer["n"] == 2
        assert "writeErrors" not in answer
        assert things.count_documents({}) == 2


def new_session() -> dict[str, Binary]:
    """A session that no driver has numbered statements in."""
    return {"id": Binary.from_uuid(uuid.uuid4())}


def send_raw(things: Collection[Any], command: dict[str, Any]) -> dict[str, Any]:
    """A command as it stands: pymongo would put a session and a number of its own into it."""
    client = things.database.client
    with client._conn_for_writes(None, "raw") as connection:  # no public call leaves lsid and txnNumber alone
        return dict(connection.command(things.database.name, {**command, "ordered": True}))


ODD_IDS: tuple[Any, ...] = (
    None, float("nan"), float("-inf"), 2.0**63, 1.9, Decimal128("1.5"), Decimal128("7E40"), "huge" * 9999, b"",
    Binary(b"old", 2), True, {}, {"a": {"b": [1, None]}}, Code("f"), Code("f", {"x": 1}), Timestamp(5, 6), MinKey(),
)  # fmt: skip


@pytest.mark.parametrize("kind", ["hashed", 1])
def test_an_odd_id_is_found_where_it_was_put(admin_client: MongoClient[Any], kind: Any):
    """Of every type, alone and among all; the ranges lie on both shards and are bounded by odd values too."""
    with sharded(admin_client, {"_id": kind}) as things:
        if kind == 1:
            bounds = [None, -1e9, Decimal128("2.5"), "a", {"a": 1}, b"\1", True, Timestamp(1, 1)]
            spread(things, [{"_id": bound} for bound in bounds])
        for number, key in enumerate(ODD_IDS):
            things.insert_one({"_id": key, "number": number})
            assert things.count_documents({"number": number}) == 1, key
            assert [found["number"] for found in things.find({"_id": key})] == [number], key
            assert things.update_one({"_id": key}, {"$set": {"seen": True}}).matched_count == 1, key
        assert len(things.distinct("_id")) == len(ODD_IDS)


def spread(things: Collection[Any], bounds: list[Any]) -> None:
    """Split a collection at keys, and give every second range to the other shard."""
    client = things.database.client
    for bound in bounds:
        client.admin.command("split", things.full_name, middle=bound)
    ranges = sorted(chunks(client, things), key=lambda chunk: chunk["lastmod"].inc)
    for chunk in ranges[::2]:
        move_away(client, things, chunk)


def move_away(client: MongoClient[Any], things: Collection[Any], chunk: dict[str, Any]) -> None:
    """To the other shard."""
    move_chunk(client, things, chunk, next(shard for shard in shards_of(client) if shard != chunk["shard"]))


@pytest.mark.parametrize("kind", ["hashed", 1])
def test_a_list_as_a_shard_key_is_refused(admin_client: MongoClient[Any], kind: Any):
    """By an error that says so."""
    with sharded(admin_client, {"key": kind}) as things:
        with pytest.raises(OperationFailure) as caught:
            things.insert_one({"key": [1, 2]})
        assert caught.value.code == SHARD_KEY_NOT_FOUND
        assert things.count_documents({}) == 0


def test_errors_of_an_ordered_batch_carry_the_callers_index(admin_client: MongoClient[Any]):
    """The batch stops at the first error, wherever the statements went."""
    with sharded(admin_client) as things:
        things.insert_one({"_id": 5})
        with pytest.raises(BulkWriteError) as caught:
            things.insert_many([{"_id": n} for n in (1, 2, 3, 4, 5, 6, 7)])
        details = caught.value.details
        assert [error["index"] for error in details["writeErrors"]] == [4]
        assert details["nInserted"] == 4
        assert {document["_id"] for document in things.find()} == {1, 2, 3, 4, 5}


def test_errors_of_an_unordered_batch_carry_the_callers_indexes(admin_client: MongoClient[Any]):
    """Everything else is done."""
    with sharded(admin_client) as things:
        things.insert_many([{"_id": 2}, {"_id": 5}])
        with pytest.raises(BulkWriteError) as caught:
            things.insert_many([{"_id": n} for n in range(8)], ordered=False)
        details = caught.value.details
        assert sorted(error["index"] for error in details["writeErrors"]) == [2, 5]
        assert details["nInserted"] == 6


def test_upserts_of_a_batch_say_what_they_inserted(admin_client: MongoClient[Any]):
    """`upserted` carries the caller's indexes."""
    with sharded(admin_client) as things:
        things.insert_one({"_id": 3})
        result = things.bulk_write([UpdateOne({"_id": n}, {"$set": {"x": n}}, upsert=True) for n in range(6)])
        assert result.upserted_ids == {0: 0, 1: 1, 2: 2, 4: 4, 5: 5}
        assert (result.matched_count, result.modified_count) == (1, 1)


def test_find_and_modify_needs_the_shard_key(admin_client: MongoClient[Any]):
    """Without it no shard is the right one."""
    with sharded(admin_client, BY_OWNER) as things:
        key = {"owner_id": ObjectId(), "_id": ObjectId()}
        things.insert_one({**key, "n": 1})
        assert things.find_one_and_update(key, {"$inc": {"n": 1}}, return_document=True)["n"] == 2
        with pytest.raises(OperationFailure) as caught:
            things.find_one_and_update({"n": 2}, {"$inc": {"n": 1}})
        assert caught.value.code in (61, 31025)


def test_a_unique_index_without_the_shard_key_is_refused(admin_client: MongoClient[Any]):
    """A shard cannot see what another one holds: uniqueness goes through claims instead."""
    with sharded(admin_client) as things, pytest.raises(OperationFailure) as caught:
        things.create_index("email", unique=True)
    assert caught.value.code == 67


def test_ranges_moved_under_writes_lose_nothing(cluster: LocalCluster, admin_client: MongoClient[Any]):
    """Two routers, writers on both, ranges moved back and forth: every acknowledged write is there, once."""
    with sharded(admin_client) as things:
        writers = [Writer(cluster, things.full_name, number) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        moved = move_ranges(admin_client, things)
        for writer in writers:
            writer.finish()
        documents = {document["_id"]: document for document in things.find()}
        acknowledged = {key for writer in writers for key in writer.acknowledged}
        assert moved >= MOVES // 2, "the fault must have happened"
        assert not [writer.errors for writer in writers if writer.errors]
        assert len(acknowledged) > 100
        assert acknowledged == set(documents)
        assert {document["n"] for document in documents.values()} == {1}
        assert things.count_documents({}) == len(documents)


def move_ranges(client: MongoClient[Any], things: Collection[Any]) -> int:
    """Move chunks at random; how many moves were made."""
    names, moved = shards_of(client), 0
    for _ in range(MOVES):
        chunk = random.choice(chunks(client, things))
        target = next(name for name in names if name != chunk["shard"])
        move_chunk(client, things, chunk, target)
        moved += 1
    return moved


class Writer(threading.Thread):
    """Inserts a document and increments it, again and again, through one of the routers."""

    def __init__(self, cluster: LocalCluster, namespace: str, number: int) -> None:
        super().__init__()
        router = cluster.cluster.routers[number % len(cluster.cluster.routers)]
        login = cluster.login(ADMIN)
        self._client: MongoClient[Any] = MongoClient(router.address, **login.options())
        database, _, collection = namespace.partition(".")
        self._things = self._client[database][collection]
        self._number = number
        self._done = threading.Event()
        self.acknowledged: list[str] = []
        self.errors: list[PyMongoError | AssertionError] = []

    def run(self) -> None:
        count = 0
        while not self._done.is_set():
            count += 1
            key = f"{self._number}-{count}"
            try:
                self._things.insert_one({"_id": key, "n": 0})
                assert self._things.update_one({"_id": key}, {"$inc": {"n": 1}}).modified_count == 1, key
                self.acknowledged.append(key)
            except (PyMongoError, AssertionError) as error:
                self.errors.append(error)

    def finish(self) -> None:
        self._done.set()
        self.join(60)
        self._client.close()


def test_a_moved_document_is_found_at_its_new_owner(admin_client: MongoClient[Any]):
    """Through a router that does not know of the move yet."""
    with sharded(admin_client) as things:
        key = ObjectId()
        things.insert_one({"_id": key, "n": 0})
        was = owner_of(things, {"_id": key})
        target = next(name for name in shards_of(admin_client) if name != was)
        for chunk in chunks(admin_client, things):
            if chunk["shard"] == was:
                move_chunk(admin_client, things, chunk, target)
        assert things.update_one({"_id": key}, {"$set": {"n": 1}}).modified_count == 1
        assert things.find_one({"_id": key})["n"] == 1
        assert owner_of(things, {"_id": key}) == target


@pytest.mark.parametrize("retry", [True, False])
@pytest.mark.parametrize("size", [481, 1000])
def test_a_bulk_as_large_as_a_message_is_written(cluster: LocalCluster, retry: bool, size: int):
    """Beyond one document's limit, and with room for what the router adds to it."""
    login = cluster.login(ADMIN)
    with MongoClient[Any](cluster.cluster.routers[0].address, **login.options(), retryWrites=retry) as client:
        things = client[DATABASE][f"bulk_{uuid.uuid4().hex[:8]}"]
        count = 49_000_000 // size
        things.insert_many([{"padding": b"x" * (size - 40)} for _ in range(min(count, 100_000))])
        assert things.count_documents({}) == min(count, 100_000)
        things.drop()


def test_an_update_by_id_that_finds_a_router_out_of_date_is_made_once(cluster: LocalCluster):
    """The id is no part of the shard key, so every shard is asked: also when only the second one has moved on."""
    everyone = range(5)
    increments = [UpdateOne({"_id": key}, {"$inc": {"n": 1}}) for key in everyone]
    with (
        router_client(cluster, 0) as stale,
        router_client(cluster, 1) as fresh,
        sharded(fresh, {"place": 1}) as made,
    ):
        spread(made, [{"place": n} for n in (10, 20, 30, 40)])
        things = stale[DATABASE][made.name]
        things.insert_many([{"_id": key, "place": 10 * key + 5, "n": 0} for key in everyone])
        # Not back and forth: a shard first deletes what it gave away, a second later, before it takes it back.
        for is_ordered in (True, False):
            for chunk in sorted(chunks(fresh, made), key=lambda chunk: chunk["lastmod"].time):
                move_away(fresh, made, chunk)
                assert things.bulk_write(increments, ordered=is_ordered).matched_count == len(increments)
        assert {document["n"] for document in made.find()} == {2 * len(chunks(fresh, made))}

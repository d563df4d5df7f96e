"""Change streams through a router: complete, in order, resumable, over every shard."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.change_stream import ChangeStream
from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from scratch import chunks, move_chunk, owner_of, sharded
from support import free_port

from cluster.command_lines import mongod_argv
from cluster.local import LocalCluster
from cluster.progress import Progress
from cluster.roles import ADMIN
from cluster.sets import ensure_set
from cluster.topology import Member, ReplicaSet

EVENTS = 200
WAIT_MS = 300
LIMIT_S = 30
ELECTION_TIMEOUT_MS = 2_000


@pytest.fixture
def things(admin_client: MongoClient[Any]):
    """A collection sharded by its hashed id."""
    with sharded(admin_client) as collection:
        yield collection


def take(stream: ChangeStream[Any], count: int) -> list[dict[str, Any]]:
    """The next `count` events; fails when they do not come within the limit."""
    events: list[dict[str, Any]] = []
    deadline = time.monotonic() + LIMIT_S
    while len(events) < count:
        assert time.monotonic() < deadline, f"{len(events)} of {count} events after {LIMIT_S} s"
        event = stream.try_next()
        if event is not None:
            events.append(event)
    return events


def write_in_order(things: Collection[Any], keys: list[Any]) -> None:
    for key in keys:
        things.insert_one({"_id": key})


def test_events_of_all_shards_come_in_the_order_of_the_writes(things: Collection[Any]):
    """One client wrote them one after the other, so their cluster times are in that order."""
    keys = [ObjectId() for _ in range(EVENTS)]
    with things.watch(max_await_time_ms=WAIT_MS) as stream:
        writer = threading.Thread(target=write_in_order, args=(things, keys))
        writer.start()
        events = take(stream, EVENTS)
        writer.join()
    assert [event["documentKey"]["_id"] for event in events] == keys
    assert {event["operationType"] for event in events} == {"insert"}


@pytest.mark.parametrize("option", ["resume_after", "start_after"])
def test_a_stream_goes_on_after_an_event(things: Collection[Any], option: str):
    """The event itself is not told again, whichever shard it came from."""
    keys = [ObjectId() for _ in range(40)]
    with things.watch(max_await_time_ms=WAIT_MS) as stream:
        write_in_order(things, keys)
        token = take(stream, 15)[-1]["_id"]
    with things.watch(max_await_time_ms=WAIT_MS, **{option: token}) as stream:
        assert [event["documentKey"]["_id"] for event in take(stream, 25)] == keys[15:]


def test_a_stream_starts_at_a_time(admin_client: MongoClient[Any], things: Collection[Any]):
    """Also one that lies before the stream was opened."""
    with admin_client.start_session() as session:
        things.insert_one({"_id": 1}, session=session)
        start = session.operation_time
    things.insert_one({"_id": 2})
    with things.watch(start_at_operation_time=start, max_await_time_ms=WAIT_MS) as stream:
        assert [event["documentKey"]["_id"] for event in take(stream, 2)] == [1, 2]


def test_an_empty_batch_moves_the_resume_token(things: Collection[Any]):
    """So that a quiet stream can be resumed although its last event has left the oplog."""
    with things.watch(max_await_time_ms=WAIT_MS) as stream:
        first = stream.resume_token
        deadline = time.monotonic() + LIMIT_S
        while stream.resume_token == first and time.monotonic() < deadline:
            assert stream.try_next() is None
        assert stream.resume_token["_data"] > first["_data"]


def test_a_pipeline_filters_and_shapes_events(things: Collection[Any]):
    """As far as a change stream allows it; `_id` stays, it is the resume token."""
    pipeline = [{"$match": {"operationType": "update"}}, {"$project": {"documentKey": 1}}]
    with things.watch(pipeline, max_await_time_ms=WAIT_MS) as stream:
        things.insert_one({"_id": 1})
        things.update_one({"_id": 1}, {"$set": {"x": 1}})
        (event,) = take(stream, 1)
    assert sorted(event) == ["_id", "documentKey"]


def test_an_update_brings_the_document_when_asked(things: Collection[Any]):
    """`updateLookup`: as it is now; null when it has gone."""
    with things.watch(full_document="updateLookup", max_await_time_ms=WAIT_MS) as stream:
        things.insert_one({"_id": 1})
        things.update_one({"_id": 1}, {"$set": {"x": 1}})
        assert take(stream, 2)[1]["fullDocument"] == {"_id": 1, "x": 1}


def test_a_database_is_watched_whole(admin_client: MongoClient[Any], things: Collection[Any]):
    """Every collection of it."""
    with sharded(admin_client) as others, things.database.watch(max_await_time_ms=WAIT_MS) as stream:
        things.insert_one({"_id": 1})
        others.insert_one({"_id": 2})
        seen = []
        while len(seen) < 2:
            seen += [event["ns"]["coll"] for event in take(stream, 1) if event["operationType"] == "insert"]
    assert seen == [things.name, others.name]


def test_a_drop_invalidates_the_stream(admin_client: MongoClient[Any]):
    """The stream tells the drop, then ends."""
    with sharded(admin_client) as things:
        things.insert_one({"_id": 1})
        with things.watch(max_await_time_ms=WAIT_MS) as stream:
            things.drop()
            told = []
            deadline = time.monotonic() + LIMIT_S
            while stream.alive and time.monotonic() < deadline:
                event = stream.try_next()
                told += [event["operationType"]] if event else []
    assert told[-1] == "invalidate"
    assert set(told) == {"drop", "invalidate"}


def test_a_token_that_is_none_is_refused(things: Collection[Any]):
    """Rather than a stream from somewhere else."""
    with pytest.raises(OperationFailure), things.watch(resume_after={"_data": "nonsense"}) as stream:
        stream.try_next()


@pytest.mark.parametrize("fault", ["kill", "step down"])
def test_a_failover_loses_no_event(breakable: LocalCluster, admin_client: MongoClient[Any], fault: str):
    """The primary of a shard goes while writes and the stream go on: complete, in order, nothing twice."""
    with sharded(admin_client) as things:
        keys = [ObjectId() for _ in range(EVENTS)]
        with things.watch(max_await_time_ms=WAIT_MS) as stream:
            writer = threading.Thread(target=write_in_order, args=(things, keys))
            writer.start()
            before = take(stream, 20)
            faults[fault](breakable)
            events = before + take(stream, EVENTS - 20)
            writer.join()
        assert [event["documentKey"]["_id"] for event in events] == keys


def kill_primary(cluster: LocalCluster) -> None:
    shard = cluster.cluster.shards[0]
    primary = cluster.primary(shard)
    assert primary is not None
    cluster.nodes.kill(primary)


def step_down_primary(cluster: LocalCluster) -> None:
    with cluster.connections() as connections:
        connections.primary(cluster.cluster.shards[0]).admin.command("replSetStepDown", 10, force=True)


faults: dict[str, Callable[[LocalCluster], None]] = {"kill": kill_primary, "step down": step_down_primary}


@pytest.fixture
def spare_shard(small_cluster: LocalCluster) -> Iterator[ReplicaSet]:
    """A set of one member beside a running small cluster, not a shard of it yet."""
    small_cluster.up(Progress(quiet=True))
    member = Member("spare-a", "127.0.0.1", free_port(), "shardsvr", "spare")
    spare = ReplicaSet("spare", "shardsvr", (member,))
    directory = small_cluster.data_dir.root / "spare"
    directory.mkdir()
    argv = mongod_argv(
        small_cluster.mongod,
        member,
        directory,
        small_cluster.data_dir.logs / "spare.log",
        small_cluster.secrets.keyfile,
    )
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        with small_cluster.connections() as connections:
            ensure_set(spare, connections, ELECTION_TIMEOUT_MS)
        yield spare
    finally:
        process.kill()
        process.wait(10)


def test_a_shard_that_joins_is_watched_too(small_cluster: LocalCluster, spare_shard: ReplicaSet):
    """Its events come in the order of the writes, from its first one on, on a stream that was open before."""
    with MongoClient[Any](small_cluster.uri(ADMIN)) as client, sharded(client) as things:
        with things.watch(max_await_time_ms=WAIT_MS) as stream:
            keys = [ObjectId() for _ in range(30)]
            write_in_order(things, keys[:10])
            client.admin.command("addShard", spare_shard.seed, name=spare_shard.name)
            move_chunk(client, things, chunks(client, things)[0], spare_shard.name)
            write_in_order(things, keys[10:])
            assert [event["documentKey"]["_id"] for event in take(stream, 30)] == keys
        assert {owner_of(things, {"_id": key}) for key in keys} == {"spare", "shard-1"}


def test_a_shard_that_joins_a_quiet_stream_is_watched_too(small_cluster: LocalCluster, spare_shard: ReplicaSet):
    """Also when nothing happens on the others, and the resume token has moved on meanwhile."""
    with MongoClient[Any](small_cluster.uri(ADMIN)) as client, sharded(client) as things:
        with things.watch(max_await_time_ms=WAIT_MS) as stream:
            stream.try_next()
            client.admin.command("addShard", spare_shard.seed, name=spare_shard.name)
            for chunk in chunks(client, things):
                move_chunk(client, things, chunk, spare_shard.name)
            things.insert_one({"_id": 1})
            (event,) = take(stream, 1)
        assert event["documentKey"] == {"_id": 1}
        assert owner_of(things, {"_id": 1}) == "spare"

"""What a router does when members go, freeze or answer with errors: retried as by mongos, bounded by deadlines."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
import pytest
from bson import ObjectId
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure, ExecutionTimeout, OperationFailure, PyMongoError
from scratch import ids_on, router_client, sharded

from cluster.local import LocalCluster
from cluster.roles import ADMIN
from cluster.topology import Member, ReplicaSet

# Elections take 2 s here; routers take a few more to see that a member is frozen.
RECOVERY_LIMIT_S = 30
SLACK_S = 3.0


@pytest.fixture
def things(admin_client: MongoClient[Any]) -> Iterator[Collection[Any]]:
    """A collection sharded by its hashed id, through every router."""
    with sharded(admin_client) as collection:
        collection.insert_one({"_id": "seed"})
        yield collection


@contextmanager
def failing(client: MongoClient[Any], **data: Any) -> Iterator[None]:
    """The router behind `client` fails as told; see the fail point `failCommand`."""
    point = {"configureFailPoint": "failCommand", "mode": {"times": data.pop("times", 1)}, "data": data}
    client.admin.command(point)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def primary_of(cluster: LocalCluster, replica_set: ReplicaSet) -> Member:
    primary = cluster.primary(replica_set)
    assert primary is not None
    return primary


class Prober(threading.Thread):
    """Does one thing again and again until told to stop; keeps what failed and the longest time without a success."""

    def __init__(self, call: Callable[[int], Any]) -> None:
        super().__init__()
        self._call = call
        self._done = threading.Event()
        self.successes = 0
        self.errors: list[PyMongoError] = []
        self.gap_s = 0.0

    def run(self) -> None:
        last = time.monotonic()
        while not self._done.is_set():
            try:
                self._call(self.successes + len(self.errors))
                self.successes += 1
                self.gap_s = max(self.gap_s, time.monotonic() - last)
                last = time.monotonic()
            except PyMongoError as error:
                self.errors.append(error)

    def __enter__(self) -> "Prober":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join(RECOVERY_LIMIT_S)

    def wait_progress(self, count: int = 20) -> None:
        """Until `count` more calls have succeeded."""
        target, deadline = self.successes + count, time.monotonic() + RECOVERY_LIMIT_S
        while self.successes < target:
            assert time.monotonic() < deadline, (
                f"{self.successes} of {target} after {RECOVERY_LIMIT_S} s: {self.errors[-1:]}"
            )
            self._done.wait(0.05)


@pytest.mark.parametrize(
    "fault",
    [{"closeConnection": True}, {"errorCode": 91, "errorLabels": ["RetryableWriteError"]}],
    ids=["connection lost", "shutting down"],
)
def test_a_write_that_a_router_failed_is_repeated_once(
    cluster: LocalCluster, things: Collection[Any], fault: dict[str, Any]
):
    """By the driver, on the label or the lost connection; the document is there once."""
    with router_client(cluster, 0) as client, failing(client, failCommands=["insert"], **fault):
        client[things.database.name][things.name].insert_one({"_id": 1})
    assert things.count_documents({"_id": 1}) == 1


def test_a_failed_command_is_an_error_without_a_label(cluster: LocalCluster, things: Collection[Any]):
    """The driver does not repeat what may not be repeated."""
    with router_client(cluster, 0) as client, failing(client, failCommands=["insert"], errorCode=8):
        with pytest.raises(OperationFailure) as caught:
            client[things.database.name][things.name].insert_one({"_id": 1})
        assert caught.value.code == 8
    assert things.count_documents({"_id": 1}) == 0


def test_a_write_answered_by_a_dead_primary_is_repeated_by_the_router(things: Collection[Any], breakable: LocalCluster):
    """Primary killed under writes: no error reaches the client, every document is there once."""
    shard = breakable.cluster.shards[0]
    ids: list[ObjectId] = []

    def write(number: int) -> None:
        ids.append(ObjectId())
        things.insert_one({"_id": ids[-1]})

    with Prober(write) as prober:
        prober.wait_progress()
        breakable.nodes.kill(primary_of(breakable, shard))
        prober.wait_progress(60)
    assert prober.errors == []
    assert {document["_id"] for document in things.find({"_id": {"$ne": "seed"}})} == set(ids)


def test_a_step_down_reaches_no_client(things: Collection[Any], breakable: LocalCluster):
    """Reads, writes and findAndModify go on without an error."""

    def use(number: int) -> None:
        things.update_one({"_id": number % 8}, {"$inc": {"n": 1}}, upsert=True)
        things.find_one_and_update({"_id": number % 8}, {"$inc": {"m": 1}})
        things.find_one({"_id": number % 8})

    with Prober(use) as prober, breakable.connections() as connections:
        prober.wait_progress()
        before = primary_of(breakable, breakable.cluster.shards[1])
        connections.member(before).admin.command("replSetStepDown", 30, secondaryCatchUpPeriodSecs=10)
        prober.wait_progress(60)
    assert prober.errors == []
    rows = list(things.find({"n": {"$exists": True}}))
    assert sum(row["n"] for row in rows) == sum(row["m"] for row in rows) == prober.successes


def test_a_transaction_in_which_a_primary_died_is_run_again(
    admin_client: MongoClient[Any], things: Collection[Any], breakable: LocalCluster
):
    """Its error is transient; `with_transaction` repeats it and it is applied once."""
    shard = breakable.cluster.shards[0]
    first = ids_on(things, shard.name, 1)[0]
    other = ids_on(things, breakable.cluster.shards[1].name, 1)[0]
    runs = []

    def both(session: Any) -> None:
        runs.append(1)
        things.insert_one({"_id": first}, session=session)
        if len(runs) == 1:
            breakable.nodes.kill(primary_of(breakable, shard))
        things.insert_one({"_id": other}, session=session)
        things.find_one({"_id": first}, session=session)

    with admin_client.start_session() as session:
        session.with_transaction(both)
    assert len(runs) > 1
    assert things.count_documents({"_id": {"$in": [first, other]}}) == 2


def test_a_frozen_primary_is_bounded_by_the_deadline(things: Collection[Any], breakable: LocalCluster):
    """A call with a time limit ends in time, with an error; afterwards the set goes on without the frozen member."""
    shard = breakable.cluster.shards[0]
    keys = iter(ids_on(things, shard.name, 50))
    breakable.nodes.pause(primary_of(breakable, shard))
    started = time.monotonic()
    with pymongo.timeout(1.0), pytest.raises(PyMongoError) as caught:
        things.insert_one({"_id": next(keys)})
    assert caught.value.timeout
    assert time.monotonic() - started < 1.0 + SLACK_S
    # Not at majority: the third member may go on asking the frozen one for its oplog for a while.
    with pymongo.timeout(RECOVERY_LIMIT_S):
        things.with_options(write_concern=WriteConcern(1)).insert_one({"_id": next(keys)})


def test_a_write_in_flight_on_a_frozen_primary_ends_at_the_next_one(things: Collection[Any], breakable: LocalCluster):
    """Without any limit of its own: the router lets go of the frozen member and repeats the statement."""
    shard = breakable.cluster.shards[0]
    keys = iter(ids_on(things, shard.name, 400))
    with Prober(lambda number: things.insert_one({"_id": next(keys)})) as prober:
        prober.wait_progress()
        breakable.nodes.pause(primary_of(breakable, shard))
        # Few: with a frozen member each majority may wait for a heartbeat of the third one, 2 s.
        prober.wait_progress(5)
    assert prober.errors == []
    assert things.count_documents({"_id": {"$ne": "seed"}}) == prober.successes


def test_the_other_shard_does_not_notice(things: Collection[Any], breakable: LocalCluster):
    """Targeted calls to a healthy shard go on while another has no primary."""
    dead, alive = breakable.cluster.shards
    keys = ids_on(things, alive.name, 20)
    for key in keys:
        things.insert_one({"_id": key})
    with (
        Prober(lambda number: things.find_one({"_id": keys[number % 20]})) as reads,
        Prober(lambda number: things.update_one({"_id": keys[number % 20]}, {"$inc": {"n": 1}})) as writes,
    ):
        reads.wait_progress()
        breakable.nodes.kill(primary_of(breakable, dead))
        reads.wait_progress(200)
        writes.wait_progress(100)
    assert reads.errors == []
    assert writes.errors == []


def test_a_lost_config_primary_reaches_no_client(things: Collection[Any], breakable: LocalCluster):
    """What lives where is known; the next primary tells the rest."""
    keys = [ObjectId() for _ in range(20)]
    things.insert_many([{"_id": key} for key in keys])
    with Prober(lambda number: things.update_one({"_id": keys[number % 20]}, {"$inc": {"n": 1}})) as prober:
        prober.wait_progress()
        breakable.nodes.kill(primary_of(breakable, breakable.cluster.config_set))
        prober.wait_progress(200)
    assert prober.errors == []


def test_targeted_calls_go_on_without_any_config_server(things: Collection[Any], breakable: LocalCluster):
    """On connections that are logged in already."""
    keys = [ObjectId() for _ in range(20)]
    things.insert_many([{"_id": key} for key in keys])
    with Prober(lambda number: things.update_one({"_id": keys[number % 20]}, {"$inc": {"n": 1}})) as prober:
        prober.wait_progress()
        for member in breakable.cluster.config_set.members:
            breakable.nodes.kill(member)
        prober.wait_progress(300)
    assert prober.errors == []


def test_a_killed_router_leaves_its_clients_to_the_other(things: Collection[Any], breakable: LocalCluster):
    """A client that knows both goes on."""
    with MongoClient[Any](breakable.uri(ADMIN), serverSelectionTimeoutMS=10_000) as client:
        mine = client[things.database.name][things.name]
        with Prober(lambda number: mine.update_one({"_id": number % 5}, {"$inc": {"n": 1}}, upsert=True)) as prober:
            prober.wait_progress()
            breakable.nodes.kill(breakable.cluster.routers[0])
            prober.wait_progress(100)
        assert prober.errors == []
        assert sum(row["n"] for row in mine.find({"n": {"$exists": True}})) == prober.successes


def test_a_slow_command_is_ended_by_its_limit(cluster: LocalCluster, things: Collection[Any]):
    """`maxTimeMS` reaches the shards."""
    with cluster.connections() as connections:
        member = primary_of(cluster, cluster.cluster.shards[0])
        on_member = connections.member(member).admin
        on_member.command("configureFailPoint", "maxTimeAlwaysTimeOut", mode="alwaysOn")
        try:
            with pytest.raises((ExecutionTimeout, ConnectionFailure)):
                list(things.find({}).max_time_ms(5000))
        finally:
            on_member.command("configureFailPoint", "maxTimeAlwaysTimeOut", mode="off")

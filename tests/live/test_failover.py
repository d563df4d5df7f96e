"""Killing a shard's primary during writes loses no task that was acknowledged."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from cluster.local import LocalCluster
from cluster.roles import API
from cluster.topology import Member, ReplicaSet
from cluster.wait import NotReady, wait_until

Db = Database[dict[str, Any]]

WRITERS = 4
# Longer than an election (2 s here) and what the routers need to learn of it.
OPERATION_TIMEOUT_MS = 20_000


def task(owner_id: ObjectId, number: int) -> dict[str, Any]:
    """A valid task."""
    now = datetime.now(UTC)
    return {
        "_id": ObjectId(),
        "owner_id": owner_id,
        "title": f"task {number}",
        "description": "",
        "status": "pending",
        "priority": 3,
        "position": None,
        "due_at": None,
        "assignee_id": None,
        "project_id": None,
        "tags": [],
        "completed_at": None,
        "created_at": now,
        "updated_at": now,
        "updated_by": owner_id,
        "request_id": None,
        "version": 1,
    }


@dataclass
class Workload:
    """Writers that insert tasks of many owners, so that every shard is written to, until they are told to stop."""

    db: Db
    acknowledged: list[ObjectId] = field(default_factory=list)
    unknown: list[ObjectId] = field(default_factory=list)
    errors: list[PyMongoError] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _writers: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._writers = [threading.Thread(target=self._run, name=f"writer-{i}") for i in range(WRITERS)]
        for writer in self._writers:
            writer.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            document = task(ObjectId(), len(self.acknowledged))
            try:
                self.db["tasks"].insert_one(document)
                self.acknowledged.append(document["_id"])
            except PyMongoError as error:
                self.unknown.append(document["_id"])
                self.errors.append(error)

    def stop(self) -> None:
        """Returns when the last write has been answered: nothing is acknowledged after that."""
        self._stop.set()
        for writer in self._writers:
            writer.join()


@pytest.fixture
def workload(breakable: LocalCluster) -> Iterator[Workload]:
    """Running writers; stopped at the latest when the test ends."""
    with MongoClient[dict[str, Any]](
        breakable.uri(API), timeoutMS=OPERATION_TIMEOUT_MS, maxPoolSize=WRITERS + 2
    ) as client:
        load = Workload(client[breakable.database])
        load.start()
        yield load
        load.stop()


def wait_acknowledged(load: Workload, more: int, timeout_s: float) -> None:
    """Returns when `more` further writes have been acknowledged."""
    goal = len(load.acknowledged) + more

    def probe() -> None:
        if len(load.acknowledged) < goal:
            raise NotReady(f"{len(load.acknowledged)} of {goal}; errors: {load.errors[-1:]}")

    wait_until(f"{more} acknowledged writes", probe, timeout_s)


def wait_other_primary(cluster: LocalCluster, replica_set: ReplicaSet, old: Member) -> Member:
    """The primary that was elected in place of `old`."""

    def probe() -> Member:
        primary = cluster.primary(replica_set)
        if primary is None or primary == old:
            raise NotReady("no new primary")
        return primary

    return wait_until(f"a new primary of {replica_set.name}", probe, timeout_s=20)


def test_killing_a_primary_during_writes_loses_no_acknowledged_task(
    breakable: LocalCluster, workload: Workload
) -> None:
    """SIGKILL of the primary of one shard under load: every write that was acknowledged is there afterwards."""
    shard = breakable.cluster.shards[0]
    wait_acknowledged(workload, 200, timeout_s=20)
    victim = breakable.primary(shard)
    assert victim is not None

    assert breakable.nodes.kill(victim)
    assert not breakable.nodes.is_running(victim)
    new = wait_other_primary(breakable, shard, victim)
    wait_acknowledged(workload, 200, timeout_s=30)
    workload.stop()

    assert new != victim
    found = {document["_id"] for document in workload.db["tasks"].find({}, {"_id": 1})}
    assert set(workload.acknowledged) - found == set(), "acknowledged and lost"
    assert workload.errors == []


def test_stepping_a_primary_down_during_writes_costs_no_error(
    breakable: LocalCluster, workload: Workload, admin_client: MongoClient[dict[str, Any]]
) -> None:
    """A hand-over is retried by the driver: no write fails."""
    shard = breakable.cluster.shards[1]
    wait_acknowledged(workload, 100, timeout_s=20)
    victim = breakable.primary(shard)
    assert victim is not None

    with breakable.connections() as connections:
        connections.member(victim).admin.command("replSetStepDown", 30)
    wait_other_primary(breakable, shard, victim)
    wait_acknowledged(workload, 100, timeout_s=20)
    workload.stop()

    assert workload.errors == []
    assert len(set(workload.acknowledged)) == len(workload.acknowledged)


def test_writes_to_the_other_shard_go_on_while_one_has_no_primary(breakable: LocalCluster, db: Db) -> None:
    """With two of three members gone one shard takes no writes; owners on the other one notice nothing."""
    shard, other = breakable.cluster.shards
    owners = {name: owner_on(db, name) for name in (shard.name, other.name)}
    for member in shard.members[:2]:
        breakable.nodes.kill(member)

    started = time.monotonic()
    db["tasks"].insert_one(task(owners[other.name], 1))

    assert time.monotonic() - started < 2
    with MongoClient[dict[str, Any]](breakable.uri(API), timeoutMS=3_000) as impatient, pytest.raises(PyMongoError):
        impatient[breakable.database]["tasks"].insert_one(task(owners[shard.name], 2))


def owner_on(db: Db, shard: str) -> ObjectId:
    """An owner whose tasks lie on `shard`, found by asking where a query for them would go."""

    def probe() -> ObjectId:
        owner = ObjectId()
        plan = db.command("explain", {"find": "tasks", "filter": {"owner_id": owner}}, verbosity="queryPlanner")
        if plan["queryPlanner"]["winningPlan"]["shards"][0]["shardName"] != shard:
            raise NotReady("on the other shard")
        return owner

    return wait_until(f"an owner on {shard}", probe, timeout_s=10)

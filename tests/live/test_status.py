"""What `status` shows of a cluster that moves ranges, has zones, or has members that are silent."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from rich.console import Console

from cluster import table
from cluster.__main__ import main
from cluster.local import LocalCluster
from cluster.roles import ADMIN
from cluster.status import ClusterStatus
from cluster.wait import NotReady, wait_until

pytestmark = pytest.mark.timeout(180)

Client = MongoClient[dict[str, Any]]
PAUSE_POINT = "moveChunkHangAtStep3"


@pytest.fixture(scope="module")
def client(spare_cluster: LocalCluster) -> Iterator[Client]:
    """A client of the routers that may do everything."""
    with MongoClient[dict[str, Any]](spare_cluster.uri(ADMIN)) as opened:
        yield opened


def seconds_of(cluster: LocalCluster) -> tuple[ClusterStatus, float]:
    """A picture and how long it took."""
    started = time.monotonic()
    return cluster.status(), time.monotonic() - started


def test_the_whole_picture_as_json(spare_cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Sets, routers, ranges and skew by shard, balancer, users: what a program asks for."""
    assert main(["status", "--json", "--data", str(spare_cluster.data_dir.root)]) == 0

    shown = json.loads(capsys.readouterr().out)
    (member,) = shown["sets"][1]["members"]
    assert (member["state"], member["lag_s"]) == ("PRIMARY", 0.0) and member["version"] and member["uptime_s"] >= 0
    tasks = next(c for c in shown["routing"]["collections"] if c["name"] == "tasks")
    assert [(h["shard"], h["chunks"]) for h in tasks["holdings"]] == [("shard-1", 2), ("shard-2", 2)]
    assert {"documents", "skew"} <= tasks.keys()
    assert shown["routing"]["balancer_on"] is True
    users = {user["name"]: user["is_in_use"] for user in shown["access"]["users"]}
    assert users["shardboard_api_a"] is True
    assert shown["access"]["pending_migrations"] == []


def test_zones_are_shown_with_their_shards_and_ranges(spare_cluster: LocalCluster, client: Client) -> None:
    """Which shards keep which ranges."""
    low, high = {"_id": ObjectId("0" * 24)}, {"_id": ObjectId("f" * 24)}
    client.admin.command("addShardToZone", "shard-1", zone="eu")
    client.admin.command("enableSharding", "zoned")
    client.admin.command("shardCollection", "zoned.people", key={"_id": 1})
    client.admin.command("updateZoneKeyRange", "zoned.people", min=low, max=high, zone="eu")
    try:
        status = spare_cluster.status()
        assert status.routing is not None
        (zone,) = status.routing.zones
        assert (zone.name, zone.shards, zone.ranges) == ("eu", ("shard-1",), (("zoned.people", 1),))
        assert status.problem() is None
    finally:
        client.admin.command("updateZoneKeyRange", "zoned.people", min=low, max=high, zone=None)
        client.admin.command("removeShardFromZone", "shard-1", zone="eu")
        client.drop_database("zoned")


def test_a_range_on_the_move_is_shown(spare_cluster: LocalCluster, client: Client) -> None:
    """Which collection, from where, to where, as long as it takes."""
    client.admin.command("enableSharding", "moving")
    client.admin.command("shardCollection", "moving.people", key={"_id": 1})
    client["moving"]["people"].insert_one({"_id": 1})
    source = client["config"]["databases"].find_one({"_id": "moving"})["primary"]
    target = "shard-2" if source == "shard-1" else "shard-1"
    with spare_cluster.connections() as members:
        donor = members.primary(spare_cluster.cluster.replica_set(source))
        donor.admin.command("configureFailPoint", PAUSE_POINT, mode="alwaysOn")
        move = {"find": {"_id": 1}, "to": target}
        mover = threading.Thread(target=lambda: client.admin.command("moveChunk", "moving.people", **move))
        mover.start()
        try:

            def probe() -> str:
                moves = spare_cluster.status().moves
                if not moves:
                    raise NotReady("nothing moves")
                return str(moves[0])

            assert wait_until("a move", probe, 20) == f"moving.people from {source} to {target}"
        finally:
            donor.admin.command("configureFailPoint", PAUSE_POINT, mode="off")
            mover.join()
            client.drop_database("moving")


@pytest.mark.parametrize("victims", ["a member", "a whole shard", "the config set", "a router"])
def test_status_answers_within_three_seconds_whoever_is_frozen(breakable: LocalCluster, victims: str) -> None:
    """A frozen process takes connections and never answers: worse than one that is gone."""
    shard = breakable.cluster.shards[0]
    frozen = {
        "a member": shard.members[:1],
        "a whole shard": shard.members,
        "the config set": breakable.cluster.config_set.members,
        "a router": breakable.cluster.routers[:1],
    }[victims]
    for node in frozen:
        breakable.nodes.pause(node)

    status, seconds = seconds_of(breakable)

    assert seconds < 3
    named = " ".join(status.problems())
    assert all(node.name in named for node in frozen)
    table.show(status, Console(quiet=True))


def test_the_primary_is_found_beside_a_frozen_member(breakable: LocalCluster) -> None:
    """One silent member keeps nobody else's answer back."""
    shard = breakable.cluster.shards[1]
    primary = breakable.primary(shard)
    breakable.nodes.pause(next(member for member in shard.members if member != primary))
    started = time.monotonic()

    assert breakable.primary(shard) == primary
    assert time.monotonic() - started < 2


def test_a_cluster_given_by_its_uri_says_what_it_cannot_see(
    spare_cluster: LocalCluster, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    """Routers tell shards and ranges, and no states of members."""
    uri = tmp_path / "uri"
    uri.write_text(spare_cluster.uri(ADMIN))
    options = ["--uri", f"@{uri}", "--secrets", str(spare_cluster.data_dir.secrets)]

    assert main(["status", *options]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith("The cluster is healthy.\nOnly routers were asked")
    assert all(m.address in shown for m in spare_cluster.cluster.members) and "NOT ASKED" in shown


def test_watch_goes_on_until_it_is_stopped(
    spare_cluster: LocalCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line a picture for programs; Ctrl-C is how it ends, and no error."""
    rests: list[float] = []

    def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("cluster.commands.show.rest", rest)

    assert main(["status", "--watch", "0.5", "--json", "--data", str(spare_cluster.data_dir.root)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["healthy"] for line in lines] == [True, True] and rests == [0.5, 0.5]

"""Bring-up of real processes: complete, repeatable, and safe against a crash of everything."""

import json
import socket
import time
from collections.abc import Mapping
from typing import Any

import psutil
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from cluster.__main__ import main
from cluster.collections import COLLECTIONS
from cluster.errors import ClusterError
from cluster.found import read_collections
from cluster.local import LocalCluster
from cluster.progress import Progress
from cluster.roles import ADMIN, MONITOR
from cluster.topology import Member

pytestmark = pytest.mark.timeout(180)


def quiet() -> Progress:
    return Progress(quiet=True)


def test_every_declared_collection_exists_with_its_shard_key(
    cluster: LocalCluster, admin_client: MongoClient[dict[str, Any]]
) -> None:
    """What `cluster/collections.py` declares is what a fresh cluster has."""
    existing = read_collections(admin_client, cluster.database)

    assert set(existing) == {collection.name for collection in COLLECTIONS}
    declared: Mapping[str, Any] = {c.name: dict(c.shard_key) for c in COLLECTIONS if c.is_sharded}
    assert {name: found.shard_key for name, found in existing.items() if found.shard_key} == declared


def test_every_sharded_collection_starts_on_both_shards(cluster: LocalCluster) -> None:
    """Hashed keys are split before the first document, so that the first load is spread."""
    routing = cluster.status().routing

    assert routing is not None
    spread = {c.name: {h.shard for h in c.holdings if h.chunks} for c in routing.collections if c.is_sharded}
    assert set(map(frozenset, spread.values())) == {frozenset({"shard-1", "shard-2"})}


def test_defaults_are_majority(admin_client: MongoClient[dict[str, Any]]) -> None:
    """A client that names no concern reads and writes what survives a failover."""
    defaults = admin_client.admin.command("getDefaultRWConcern")

    assert defaults["defaultReadConcern"]["level"] == "majority"
    assert defaults["defaultWriteConcern"]["w"] == "majority"


def test_a_second_up_changes_nothing_and_says_so(cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Repeating a bring-up is safe: it looks before it acts."""
    before = [cluster.nodes.pid(node) for node in cluster.cluster.nodes]

    assert main(["up", "--data", str(cluster.data_dir.root)]) == 0

    assert "Nothing was changed" in capsys.readouterr().out
    assert [cluster.nodes.pid(node) for node in cluster.cluster.nodes] == before


def test_a_second_init_changes_nothing(cluster: LocalCluster) -> None:
    """`init` on a finished cluster reports no change."""
    assert cluster.init(quiet()) is False


def test_another_shape_is_refused_for_an_existing_cluster(
    cluster: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """`up --members 1` on a cluster of three members would not do what it says, so it does nothing."""
    assert main(["up", "--data", str(cluster.data_dir.root), "--members", "1"]) == 1

    assert "holds a cluster with 3 members" in capsys.readouterr().err


def test_two_commands_at_once_do_not_mix(cluster: LocalCluster) -> None:
    """While one command changes a cluster the next is told to wait."""
    with cluster.data_dir.locked(), pytest.raises(ClusterError, match="Another command is at work"):
        cluster.down(quiet())


def test_the_monitor_can_ask_every_member(cluster: LocalCluster) -> None:
    """Routers refuse `replSetGetStatus`, so the monitoring user logs in to the members themselves."""
    for member in cluster.cluster.members:
        with MongoClient[dict[str, Any]](
            member.host, member.port, directConnection=True, **cluster.login(MONITOR).options()
        ) as client:
            assert client.admin.command("replSetGetStatus")["set"] == member.set_name


def test_no_member_is_open_to_strangers(cluster: LocalCluster) -> None:
    """The localhost exception is off on every member, before and after the first user exists."""
    for node in cluster.cluster.nodes:
        tls = cluster.login(ADMIN).tls_options()
        stranger = MongoClient[dict[str, Any]](node.host, node.port, directConnection=True, **tls)
        with stranger, pytest.raises(OperationFailure, match="(?i)auth"):
            stranger.admin.command("createUser", "intruder", pwd="intruder", roles=["root"])


def test_secrets_are_readable_by_their_owner_only(cluster: LocalCluster) -> None:
    """Mode 600 or less, in a directory of mode 700."""
    modes = {path.name: path.stat().st_mode & 0o077 for path in cluster.data_dir.secrets.iterdir()}

    assert modes["keyfile"] == 0
    assert set(modes.values()) == {0}
    assert cluster.data_dir.secrets.stat().st_mode & 0o077 == 0


def test_no_secret_is_a_process_argument(cluster: LocalCluster) -> None:
    """Other users of the machine see the arguments of every process."""
    secrets = {path.read_text().strip() for path in cluster.data_dir.secrets.iterdir()}
    for node in cluster.cluster.nodes:
        arguments = " ".join(psutil.Process(cluster.nodes.pid(node)).cmdline())
        assert not [secret for secret in secrets if secret in arguments]


def test_nothing_is_lost_when_every_process_is_killed(small_cluster: LocalCluster) -> None:
    """After a power cut `up` brings the same data back, on the same ports."""
    small_cluster.up(quiet())
    with MongoClient[dict[str, Any]](small_cluster.uri(ADMIN)) as client:
        client[small_cluster.database]["migrations"].insert_many({"_id": number} for number in range(100))

    small_cluster.kill()
    assert small_cluster.nodes.running() == ()
    reopened = LocalCluster.open(small_cluster.data_dir.root)
    assert reopened.up(quiet()) is True

    with MongoClient[dict[str, Any]](reopened.uri(ADMIN)) as client:
        # Beside the history that the bring-up itself has written.
        assert client[reopened.database]["migrations"].count_documents({"_id": {"$type": "number"}}) == 100


def test_a_bring_up_that_stopped_half_way_goes_on(small_cluster: LocalCluster) -> None:
    """Members that run and are not initiated are taken as they are."""
    for member in small_cluster.cluster.members:
        small_cluster.nodes.start(member)
    small_cluster.nodes.start(small_cluster.cluster.routers[0])

    assert small_cluster.init(quiet()) is True

    assert small_cluster.status().problem() is None


def test_down_stops_every_process_and_keeps_the_data(small_cluster: LocalCluster) -> None:
    """A clean stop: no process is left, and the next `up` finds the cluster initiated."""
    small_cluster.up(quiet())

    assert small_cluster.down(quiet()) is True
    assert small_cluster.nodes.running() == ()
    assert small_cluster.down(quiet()) is False

    progress = quiet()
    small_cluster.up(progress)
    assert progress.changes == ["start the members", "start the routers"]


def test_a_busy_port_is_named_before_anything_starts(small_cluster: LocalCluster) -> None:
    """The holder and the remedy are part of the message, and no process is left behind."""
    port = small_cluster.cluster.members[0].port
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", port))
        squatter.listen()

        with pytest.raises(ClusterError, match=f"Port {port}, which config-a needs, is held by .*--data"):
            small_cluster.up(quiet())

    assert small_cluster.nodes.running() == ()


def test_a_member_that_ends_at_once_is_reported_with_its_reason(small_cluster: LocalCluster) -> None:
    """A mongod that cannot start does not cost a minute of waiting."""
    member = small_cluster.cluster.members[0]
    small_cluster.data_dir.db(member.name).mkdir(parents=True)
    (small_cluster.data_dir.db(member.name) / "storage.bson").write_text("not a database\n")

    with pytest.raises(ClusterError, match=f"{member.name} has ended"):
        small_cluster.up(quiet())


def test_status_names_a_member_that_is_down(breakable: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict is one sentence, the exit code is 1, and the rest is still shown."""
    victim = breakable.cluster.shards[0].members[2]
    assert isinstance(victim, Member)
    breakable.nodes.kill(victim)

    assert main(["status", "--json", "--data", str(breakable.data_dir.root)]) == 1

    shown = json.loads(capsys.readouterr().out)
    assert shown["healthy"] is False
    assert any(victim.name in problem for problem in shown["problems"])
    states = {m["name"]: m["state"] for s in shown["sets"] for m in s["members"]}
    assert states.pop(victim.name) == "DOWN"
    assert "DOWN" not in states.values()


def test_status_answers_in_time_with_a_frozen_member(breakable: LocalCluster) -> None:
    """A frozen member accepts connections and never answers; the picture is still due in about three seconds."""
    shard = breakable.cluster.shards[1]
    # Of a set that loses its primary, that is said first.
    primary = breakable.primary(shard)
    victim = next(member for member in reversed(shard.members) if member != primary)
    breakable.nodes.pause(victim)
    started = time.monotonic()

    problem = breakable.status().problem()

    assert problem is not None and victim.name in problem
    assert time.monotonic() - started < 3

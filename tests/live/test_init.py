"""`init` over whatever it finds: stopped anywhere, run twice at once, and what must not be taken in."""

import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymongo import MongoClient
from support import free_port

from cluster.__main__ import main
from cluster.layout import PACKAGE_ROOT
from cluster.local import LocalCluster
from cluster.progress import Outcome, Progress
from cluster.roles import ADMIN
from cluster.topology import Node
from cluster.wait import NotReady, wait_until

pytestmark = pytest.mark.timeout(180)


class Stopped(Exception):
    """Somebody has pressed Ctrl-C."""


class StoppingProgress(Progress):
    """Ends the command after `steps` steps."""

    def __init__(self, steps: int) -> None:
        super().__init__(quiet=True)
        self.left = steps

    @contextmanager
    def step(self, title: str) -> Iterator[Outcome]:
        with super().step(title) as outcome:
            yield outcome
        self.left -= 1
        if self.left == 0:
            raise Stopped(title)


def start(cluster: LocalCluster, nodes: Sequence[Node] | None = None) -> None:
    """The bare processes, as somebody else would have started them."""
    for node in nodes or cluster.cluster.nodes:
        cluster.nodes.start(node)


def wait_listening(port: int) -> None:
    """Until something takes connections: a loaded machine takes its time to start a process."""

    def probe() -> None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError as error:
            raise NotReady(str(error)) from error

    wait_until(f"port {port}", probe, 60)


def inventory(cluster: LocalCluster, path: Path, **changes: Any) -> Path:
    """The same nodes as an inventory, which knows nothing of the data directory."""
    content = {
        "config": {"set": "config", "members": [m.address for m in cluster.cluster.config_set.members]},
        "shards": [{"set": s.name, "members": [m.address for m in s.members]} for s in cluster.cluster.shards],
        "routers": [router.address for router in cluster.cluster.routers],
        "secrets": str(cluster.data_dir.secrets),
    }
    file = path / "nodes.yaml"
    file.write_text(yaml.safe_dump({**content, **changes}))
    return file


def init(file: Path, wait_s: float = 30) -> int:
    return main(["init", "--inventory", str(file), "--wait", str(wait_s)])


def refusal(file: Path, capsys: pytest.CaptureFixture[str], wait_s: float = 20) -> str:
    """What `init` says on stderr when it gives up: one line."""
    assert init(file, wait_s) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_init_goes_on_after_a_stop_at_any_step(small_cluster: LocalCluster) -> None:
    """Stopped after its first step, run again and stopped after its second, and so on until nothing is left to do."""
    start(small_cluster)
    stopped_after = []
    for steps in range(1, 20):
        try:
            small_cluster.init(StoppingProgress(steps))
        except Stopped as stop:
            stopped_after.append(str(stop))
        else:
            break

    assert stopped_after == [
        "bring up the config set",
        "bring up the shards",
        "create the monitoring user on every set",
        "create roles and users",
        "reach every router",
        "add the shards",
        "set read and write concern to majority",
        "shard and index the collections",
        "check the whole cluster",
    ]
    assert small_cluster.init(Progress(quiet=True)) is False
    assert main(["check", "--data", str(small_cluster.data_dir.root)]) == 0


def test_init_goes_on_after_a_kill_at_any_moment(small_cluster: LocalCluster, tmp_path: Path) -> None:
    """Killed a little later each time, within steps too; what it left is completed, not doubled."""
    start(small_cluster)
    file = inventory(small_cluster, tmp_path)
    argv = [sys.executable, "-m", "cluster", "init", "--inventory", str(file)]
    killed = 0
    for tenths in range(6, 40, 2):
        process = subprocess.Popen(argv, cwd=PACKAGE_ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.wait(tenths / 10) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            killed += 1

    assert killed >= 2
    assert init(file) == 0
    assert main(["check", "--inventory", str(file)]) == 0


def test_two_inits_at_once_both_succeed(
    small_cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From two terminals, on nodes that nobody holds a lock for; afterwards there is nothing left to do."""
    start(small_cluster)
    file = inventory(small_cluster, tmp_path)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: init(file), range(2))) == [0, 0]

    capsys.readouterr()
    assert init(file) == 0
    assert "nothing was changed" in capsys.readouterr().out


def test_init_through_routers_alone_declares_everything(
    small_cluster: LocalCluster, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A cluster whose sets are somebody else's, given by its URI."""
    small_cluster.up(Progress(quiet=True))
    with MongoClient[dict[str, Any]](small_cluster.uri(ADMIN)) as client:
        client.drop_database(small_cluster.database)
        client.admin.command("dropUser", "shardboard_api_a")
    uri = tmp_path / "uri"
    uri.write_text(small_cluster.uri(ADMIN))
    options = ["--uri", f"@{uri}", "--secrets", str(small_cluster.data_dir.secrets)]

    assert main(["init", *options]) == 0
    assert main(["check", *options]) == 0

    assert "Everything is as declared." in capsys.readouterr().out


# What stands in the way


def test_a_wrong_keyfile_is_named_with_its_host(
    small_cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The member runs with another key than the one that init has."""
    start(small_cluster, small_cluster.cluster.config_set.members)
    other = tmp_path / "other"
    other.mkdir()
    file = inventory(small_cluster, tmp_path, secrets=str(other))

    said = refusal(file, capsys)

    member = small_cluster.cluster.config_set.members[0]
    assert said.startswith(f"config-a at {member.address} does not take this cluster's keyfile: give every node")


def test_a_member_that_is_down_is_named(
    small_cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shard is not started; init waits as long as it was told and says what to do."""
    start(small_cluster, small_cluster.cluster.config_set.members)
    wait_listening(small_cluster.cluster.config_set.members[0].port)

    said = refusal(inventory(small_cluster, tmp_path), capsys, wait_s=1)

    shard = small_cluster.cluster.shards[0].members[0]
    assert said.startswith(f"shard-1-a at {shard.address} did not answer within 1 s")
    assert "Connection refused" in said and said.endswith("start its mongod, and let this machine reach its port.")


def test_a_local_member_that_is_down_is_named(small_cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the processes are ours there is nothing to wait for."""
    assert main(["init", "--data", str(small_cluster.data_dir.root)]) == 1

    assert "config-a has ended" in (said := capsys.readouterr().err) and "`scripts/cluster up`" in said


def test_a_member_of_another_set_is_named(
    small_cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The config server's address stands where a shard's should, and the shard's set has another name."""
    small_cluster.up(Progress(quiet=True))
    shard = small_cluster.cluster.shards[0].members[0]

    renamed = inventory(small_cluster, tmp_path, shards=[{"set": "shard-9", "members": [shard.address]}])

    said = refusal(renamed, capsys)
    assert said.startswith(f"shard-9-a at {shard.address} belongs to the set shard-1, not to shard-9: correct")


class Quiet(http.server.BaseHTTPRequestHandler):
    """Answers every request with 501, and logs none."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def web_server() -> Iterator[str]:
    """Something that listens and is no mongod; its address."""
    server = http.server.HTTPServer(("127.0.0.1", free_port()), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and says nothing, as a frozen process does; its address."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_host_that_is_no_mongod_is_named(
    small_cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A web server, and something that never answers."""
    for server, says in ((web_server, "is no mongod: correct the address"), (silent_server, "did not answer within")):
        with server() as address:
            file = inventory(small_cluster, tmp_path, config={"set": "config", "members": [address]})
            said = refusal(file, capsys, wait_s=1)
            assert address in said and says in said


def test_a_router_among_the_members_is_named(
    small_cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ports that were mixed up."""
    small_cluster.up(Progress(quiet=True))
    address = small_cluster.cluster.routers[0].address
    nodes = {"routers": ["127.0.0.1:9"], "shards": [{"set": "shard-1", "members": [address]}]}

    said = refusal(inventory(small_cluster, tmp_path, **nodes), capsys)

    assert said.startswith(f"What answers at {address}, meant for shard-1-a, is a router")


def test_a_member_of_another_kind_is_named(
    small_cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shard server stands where the config server should."""
    start(small_cluster, small_cluster.cluster.shards[0].members)
    address = small_cluster.cluster.shards[0].members[0].address
    nodes = {"config": {"set": "shard-1", "members": [address]}, "shards": [{"set": "s", "members": ["127.0.0.1:9"]}]}

    said = refusal(inventory(small_cluster, tmp_path, **nodes), capsys)

    assert said == f"shard-1-a at {address} was started as a shardsvr: start it with --configsvr --replSet shard-1."


def test_a_shard_of_another_cluster_is_named(
    small_cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its config set was replaced by a new one; the shard still knows the old one and must not be taken."""
    small_cluster.up(Progress(quiet=True))
    config = small_cluster.cluster.config_set.members[0]
    for node in (*small_cluster.cluster.routers, config):
        small_cluster.nodes.stop(node)
    shutil.rmtree(small_cluster.data_dir.db(config.name))

    assert main(["up", "--data", str(small_cluster.data_dir.root)]) == 1

    said = capsys.readouterr().err
    assert "shard-1 at shard-1/127.0.0.1:" in said
    assert f"belongs to the cluster of config/{config.address} already" in said


@pytest.mark.parametrize("with_replset", [False, True], ids=["alone", "as a member"])
def test_a_standalone_that_holds_data_is_not_taken_in(
    small_cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], with_replset: bool
) -> None:
    """Its documents would become part of the cluster, unsharded and unseen; also when it was restarted as a member."""
    shard = small_cluster.cluster.shards[0].members[0]
    path = small_cluster.data_dir.db(shard.name)
    path.mkdir(parents=True)
    with standalone(small_cluster, path, shard.port), MongoClient[dict[str, Any]](shard.host, shard.port) as client:
        client["shop"]["orders"].insert_one({"total": 1})
        start(small_cluster, small_cluster.cluster.config_set.members)
        if not with_replset:
            said = refusal(inventory(small_cluster, tmp_path), capsys)
            assert said.startswith(f"shard-1-a at {shard.address} is a standalone mongod that holds the databases shop")
            return
    start(small_cluster)

    said = refusal(inventory(small_cluster, tmp_path), capsys)

    assert shard.address in said and ("holds data" in said or "holds the databases shop" in said)


@contextmanager
def standalone(cluster: LocalCluster, path: Path, port: int) -> Iterator[None]:
    """A mongod of no set, without a login, as somebody's first steps leave it."""
    options = ["--dbpath", str(path), "--port", str(port), "--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.25"]
    process = subprocess.Popen([*cluster.mongod.command, *options], stdout=subprocess.DEVNULL, env=dict(os.environ))
    try:
        wait_listening(port)
        yield
    finally:
        process.terminate()
        process.wait(30)

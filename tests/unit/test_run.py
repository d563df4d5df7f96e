"""`.run/run.json`, and a second run beside a first one."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from support import free_port

from cluster.layout import DataDir
from cluster.local import LocalCluster
from cluster.nodes.process import process_in
from cluster.run import record
from cluster.run.__main__ import main, wait_for_end
from cluster.run.services import Services
from cluster.wait import wait_while

RUN = record.Run(
    api_url="http://127.0.0.1:5000",
    metrics_urls={"api": "http://127.0.0.1:9460/metrics"},
    mongodb_uri="mongodb://shardboard_api:pw@127.0.0.1:27017/shardboard",
    cluster_admin_uri="mongodb://shardboard_admin:pw@127.0.0.1:27017/",
    admin_username="admin",
    admin_password="pw",
    router="stand-in",
    pids={"api": 1},
    data_dir="/nowhere",
)
KEYS = {
    "api_url",
    "metrics_urls",
    "mongodb_uri",
    "cluster_admin_uri",
    "admin_username",
    "admin_password",
    "router",
    "pids",
    "data_dir",
}


@pytest.fixture(autouse=True)
def run_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A run file that is not the developer's own."""
    path = tmp_path / "run" / "run.json"
    monkeypatch.setattr(record, "RUN_FILE", path)
    return path


def test_a_run_is_recorded_privately_with_exactly_these_keys(run_file: Path) -> None:
    """Programs read them; it holds passwords."""
    record.write(RUN)

    assert set(json.loads(run_file.read_text())) == KEYS
    assert run_file.stat().st_mode & 0o777 == 0o600
    assert record.read() == RUN


@pytest.mark.parametrize("text", ["", "{}", '{"api_url": 1}', "[]"])
def test_a_file_that_is_no_record_counts_as_none(run_file: Path, text: str) -> None:
    """Left over from a crash or from another version: it does not stop a new run."""
    run_file.parent.mkdir()
    run_file.write_text(text)

    assert record.read() is None


def test_a_second_run_names_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started twice, and the exit code says that nothing was started."""
    data_dir = DataDir(tmp_path / "data")
    data_dir.make()
    api = process_in(data_dir, "api")
    api.start(["sleep", "60"], os.environ)
    record.write(record.Run(**{**RUN.__dict__, "data_dir": str(data_dir.root)}))

    assert main([]) == 1

    assert "runs already at http://127.0.0.1:5000" in capsys.readouterr().err
    api.kill()


def test_the_port_of_a_killed_api_is_waited_for(tmp_path: Path) -> None:
    """Its workers hold it for a second after the process that was killed."""
    data_dir = DataDir(tmp_path / "data")
    data_dir.make()
    api = process_in(data_dir, "api")
    api.start(["sleep", "60"], os.environ)
    pid = api.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_while("the kill", lambda: "it runs" if api.pid else None, 5)
    with socket.socket() as worker:
        worker.bind(("127.0.0.1", free_port()))
        worker.listen()
        services = Services(cast(LocalCluster, SimpleNamespace(data_dir=data_dir)), worker.getsockname()[1])
        threading.Timer(0.5, worker.close).start()

        services.require_port()


def test_a_second_interrupt_does_not_leave_the_api_running(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """People press Ctrl-C twice."""
    data_dir = DataDir(tmp_path / "data")
    data_dir.make()
    services = Services(cast(LocalCluster, SimpleNamespace(data_dir=data_dir)), 1)
    for process in (services.api, services.worker):
        process.start(["sleep", "20"], os.environ)
    stop = services.stop

    def interrupted_stop() -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return stop()

    services.stop = interrupted_stop  # type: ignore[method-assign]
    # Where several workers run tests, they are shielded from it.
    shield = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, shield))
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    began = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        wait_for_end(services)

    # They end by themselves only later.
    assert time.monotonic() - began < 15
    assert (services.api.pid, services.worker.pid) == (None, None)


def test_a_busy_port_of_the_api_is_named_with_its_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the cluster is started, which would take a while in vain."""
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]

        assert main(["--port", str(port), "--data", str(tmp_path / "data"), "--members", "1"]) == 1

    error = capsys.readouterr().err
    assert f"Port {port}, which the API needs, is held by" in error and "--port PORT" in error
    assert list((tmp_path / "data" / "pids").iterdir()) == []

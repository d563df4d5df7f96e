"""`scripts/run --detach` and `scripts/stop`: from nothing to a ready API, and back to no process."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from pymongo import MongoClient
from support import free_port, log_in

from cluster.run import __main__ as run
from cluster.run import record, stop

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A small run on free ports, in a directory and with a run file of its own; stopped at the latest afterwards."""
    monkeypatch.setattr(record, "RUN_FILE", tmp_path / "run.json")
    data, port, cluster_port = tmp_path / "data", free_port(), free_port(8)
    yield [
        *("--detach", "--members", "1", "--data", str(data)),
        *("--port", str(port), "--cluster-port", str(cluster_port)),
    ]
    stop.main([])


def recorded(tmp_path: Path) -> dict[str, Any]:
    """What `run.json` says."""
    return dict(json.loads((tmp_path / "run.json").read_text()))


def is_alive(pid: int) -> bool:
    """Whether the process runs; those that this test has started stay as zombies until somebody asks for them."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_detached_run_serves_and_stops_without_a_trace(arguments: list[str], tmp_path: Path) -> None:
    """The API answers, both connection strings and the admin login work, and no process is left after a stop."""
    assert run.main(arguments) == 0

    found = recorded(tmp_path)
    assert requests.get(f"{found['api_url']}/health/ready", timeout=10).status_code == 200
    assert log_in(found["api_url"], found["admin_username"], found["admin_password"]).access_token
    for uri in (found["mongodb_uri"], found["cluster_admin_uri"]):
        with MongoClient[dict[str, Any]](uri) as client:
            assert client.admin.command("hello")["msg"] == "isdbgrid"
    assert all(is_alive(pid) for pid in found["pids"].values())

    assert stop.main([]) == 0

    assert not [pid for pid in found["pids"].values() if is_alive(pid)]
    assert not (tmp_path / "run.json").exists()


def test_a_second_run_says_where_the_first_is(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It starts nothing and exits with 1."""
    assert run.main(arguments) == 0
    before = recorded(tmp_path)

    assert run.main(arguments) == 1

    assert f"runs already at {before['api_url']}" in capsys.readouterr().err
    assert recorded(tmp_path) == before


def test_everything_comes_back_after_everything_is_killed(arguments: list[str], tmp_path: Path) -> None:
    """A power cut: the next run finds data, logins and ports as they were."""
    assert run.main(arguments) == 0
    before = recorded(tmp_path)
    doomed = [psutil.Process(pid) for pid in before["pids"].values()]
    doomed += [child for process in doomed for child in process.children(recursive=True)]
    for process in doomed:
        process.kill()
    _, alive = psutil.wait_procs(doomed, timeout=10)  # a kill takes a moment on a busy machine
    assert not alive

    assert run.main(arguments) == 0

    after = recorded(tmp_path)
    assert {key: after[key] for key in after if key != "pids"} == {key: before[key] for key in before if key != "pids"}
    assert log_in(after["api_url"], before["admin_username"], before["admin_password"]).access_token

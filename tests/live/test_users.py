"""Database users: made, listed, rotated under load, and never a moment without a login that works."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from api_support import Caller, sign_up
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from support import free_port
from test_init import inventory

from cluster.__main__ import main
from cluster.local import LocalCluster
from cluster.progress import Progress
from cluster.roles import ADMIN, API, MONITOR
from cluster.run import record
from cluster.run.services import Services

pytestmark = pytest.mark.timeout(180)


def users(cluster: LocalCluster, *arguments: str) -> int:
    return main(["users", *arguments, "--data", str(cluster.data_dir.root)])


@pytest.fixture
def services(small_cluster: LocalCluster) -> Iterator[Services]:
    """An API of its own: its logins are changed."""
    small_cluster.up(Progress(quiet=True))
    found = Services(small_cluster, free_port(), {"ARGON2_MEMORY_KIB": "64", "ARGON2_TIME": "1"})
    try:
        found.start_api()
        found.start_worker()
        yield found
    finally:
        found.stop()


class Load:
    """Callers that read and write without a pause; `statuses` counts what they got."""

    def __init__(self, caller: Caller) -> None:
        self.statuses: Counter[str] = Counter()
        self._caller = caller
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(4)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        while not self._stop.is_set():
            for call in (lambda: self._caller.get("/me"), lambda: self._caller.post("/tasks", {"title": "x"})):
                try:
                    self.statuses[str(call().status_code)] += 1
                except OSError as error:
                    self.statuses[type(error).__name__] += 1


def test_rotating_under_load_fails_no_request(
    small_cluster: LocalCluster, services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """API, worker and run.json change over to the other user; the first is gone and its password works no more."""
    monkeypatch.setattr(record, "RUN_FILE", tmp_path / "run.json")
    pids = {"api": services.api.pid or 0, "worker": services.worker.pid or 0}
    old = small_cluster.uri(API, small_cluster.database)
    fields = {"metrics_urls": {}, "admin_username": "admin", "admin_password": "x", "router": "x", "pids": pids}
    data = str(small_cluster.data_dir.root)
    uris = {"mongodb_uri": old, "cluster_admin_uri": small_cluster.uri(ADMIN)}
    record.write(record.Run(api_url=services.url, data_dir=data, **uris, **fields))  # type: ignore[arg-type]
    caller = sign_up(services.url)

    with Load(caller) as load:
        assert users(small_cluster, "rotate", "api") == 0
        before = load.statuses.total()
        assert caller.post("/tasks", {"title": "after"}).status_code == 201

    assert set(load.statuses) == {"200", "201"} and before > 20, load.statuses
    with MongoClient[dict[str, Any]](small_cluster.uri(ADMIN)) as client:
        names = {user["user"] for user in client.admin.command("usersInfo", 1)["users"]}
    assert "shardboard_api_b" in names and "shardboard_api_a" not in names
    with MongoClient[dict[str, Any]](old) as client, pytest.raises(OperationFailure):
        client[small_cluster.database]["tasks"].find_one()
    found = record.read()
    assert found is not None and "shardboard_api_b" in found.mongodb_uri
    assert services.api.pid == pids["api"] and services.worker.pid not in (None, pids["worker"])
    assert found.pids["worker"] == services.worker.pid


def test_every_service_can_be_rotated_twice(small_cluster: LocalCluster) -> None:
    """Administrator and monitor too, the latter on every set; afterwards all is as declared."""
    small_cluster.up(Progress(quiet=True))
    passwords = {small_cluster.login(account).password for account in (ADMIN, MONITOR)}
    for service in ("admin", "monitor", "worker", "api"):
        assert users(small_cluster, "rotate", service) == 0
    assert small_cluster.login(MONITOR).username == "shardboard_monitor_b"
    assert users(small_cluster, "rotate", "monitor") == 0

    assert small_cluster.login(MONITOR).username == "shardboard_monitor_a"
    assert passwords.isdisjoint({small_cluster.login(account).password for account in (ADMIN, MONITOR)})
    assert small_cluster.status().problem() is None
    assert main(["check", "--data", str(small_cluster.data_dir.root)]) == 0
    assert small_cluster.init(Progress(quiet=True)) is False


def test_elsewhere_the_user_before_stays_until_it_is_retired(
    small_cluster: LocalCluster, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody but its administrator knows when the processes of another host have changed over."""
    small_cluster.up(Progress(quiet=True))
    options = ["--inventory", str(inventory(small_cluster, tmp_path))]
    before = small_cluster.uri(API)

    assert main(["users", "rotate", "api", *options]) == 0
    assert "scripts/cluster users retire api" in capsys.readouterr().out
    for uri in (before, small_cluster.uri(API)):
        with MongoClient[dict[str, Any]](uri) as client:
            client[small_cluster.database]["tasks"].find_one()

    assert main(["users", "rotate", "api", *options]) == 1
    assert "shardboard_api_a still exists" in capsys.readouterr().err
    assert main(["users", "retire", "api", *options]) == 0
    assert main(["check", *options]) == 0


def test_a_user_for_a_tool_is_made_listed_and_no_stranger(
    spare_cluster: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its password lies in a file that only its owner reads, and is never shown."""
    assert users(spare_cluster, "create", "grafana", "--role", "shardboard_monitor") == 0

    password = spare_cluster.data_dir.secrets / "grafana.password"
    said = capsys.readouterr().out
    assert str(password) in said and password.read_text().strip() not in said
    assert password.stat().st_mode & 0o777 == 0o600
    assert users(spare_cluster, "list", "--json") == 0
    listed = {user["name"]: user for user in json.loads(capsys.readouterr().out)}
    assert listed["grafana"] == {"name": "grafana", "roles": ["shardboard_monitor"], "in_use": False}
    assert main(["check", "--data", str(spare_cluster.data_dir.root)]) == 0
    assert users(spare_cluster, "create", "shardboard_api_b", "--role", "root") == 1
    with MongoClient[dict[str, Any]](spare_cluster.uri(ADMIN)) as client:
        client.admin.command("dropUser", "grafana")

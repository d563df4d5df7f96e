"""One sharded cluster, and one API in front of it, for all live tests of a run.

Two shards of three members, real processes on free ports, data in a temporary directory that goes with the run. When
a test fails the logs of every process are kept in `test-logs/`.
"""

import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from pymongo import MongoClient
from pymongo.database import Database

from cluster.layout import DataDir
from cluster.local import LocalCluster
from cluster.nodes.ports import find_block
from cluster.progress import Progress
from cluster.roles import ADMIN, API
from cluster.run.services import ADMIN_USERNAME, Services

KEPT_LOGS = Path(__file__).resolve().parents[2] / "test-logs"
# Failover in two seconds instead of ten: quick tests, and still slower than any pause of a loaded machine.
ELECTION_TIMEOUT_MS = 2_000
# Runs side by side on one machine look for their ports in different places.
FIRST_PORT, LAST_PORT = 20_000, 30_000
BRING_UP_TIMEOUT_S = 180


def free_port(count: int = 1) -> int:
    """The first of `count` free ports in a row."""
    return find_block(count, random.randrange(FIRST_PORT, LAST_PORT, 100))  # noqa: S311


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The data directory of the run; its logs outlive it when a test has failed."""
    root = Path(tempfile.mkdtemp(prefix="shardboard-test-"))
    yield root
    if request.session.testsfailed:
        keep_logs(root, "cluster")
    shutil.rmtree(root)


def keep_logs(root: Path, name: str) -> None:
    """Copies the logs under `root` to `test-logs/name`, in place of those of an earlier run."""
    target = KEPT_LOGS / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(DataDir(root).logs, target)


@pytest.fixture(scope="session")
def cluster(data_dir: Path) -> Iterator[LocalCluster]:
    """The cluster, healthy. A test that breaks it uses `breakable`."""
    local = LocalCluster.create(data_dir, {"election_timeout_ms": ELECTION_TIMEOUT_MS}, free_port(20))
    try:
        local.up(Progress(quiet=True))
        yield local
    finally:
        local.kill()


@pytest.fixture
def breakable(cluster: LocalCluster) -> Iterator[LocalCluster]:
    """The cluster for a test that kills, stops or freezes nodes: mended afterwards."""
    yield cluster
    for node in cluster.nodes.running():
        cluster.nodes.resume(node)
    cluster.up(Progress(quiet=True))


@pytest.fixture
def small_cluster(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """A cluster of one shard and single members for one test, not started yet."""
    local = LocalCluster.create(tmp_path / "data", {"shards": 1, "members": 1, "routers": 1}, free_port(5))
    try:
        yield local
    finally:
        local.kill()
        if request.session.testsfailed:
            keep_logs(tmp_path / "data", request.node.name)
        shutil.rmtree(tmp_path / "data")


@pytest.fixture(scope="session")
def client(cluster: LocalCluster) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of the routers as the API's own user."""
    with MongoClient[dict[str, Any]](cluster.uri(API), tz_aware=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def db(cluster: LocalCluster, client: MongoClient[dict[str, Any]]) -> Database[dict[str, Any]]:
    """The application's database as the API's own user."""
    return client[cluster.database]


@pytest.fixture(scope="session")
def admin_client(cluster: LocalCluster) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of the routers that may do everything."""
    with MongoClient[dict[str, Any]](cluster.uri(ADMIN), tz_aware=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def api(cluster: LocalCluster) -> Iterator[Services]:
    """The API as it is served, by gunicorn, with its worker, ready; `.url` is where."""
    services = Services(cluster, free_port())
    try:
        services.create_first_admin()
        services.start_api()
        services.start_worker()
        yield services
    finally:
        services.stop()


@dataclass(frozen=True)
class Login:
    """A person who is logged in."""

    username: str
    password: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


def log_in(url: str, username: str, password: str) -> Login:
    """Logs in over HTTP."""
    answer = requests.post(f"{url}/api/v1/auth/login", json={"username": username, "password": password}, timeout=10)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return Login(username, password, body["access_token"], body["refresh_token"])


@pytest.fixture(scope="session")
def admin(api: Services) -> Login:
    """The first administrator, logged in."""
    return log_in(api.url, ADMIN_USERNAME, api.admin_password)

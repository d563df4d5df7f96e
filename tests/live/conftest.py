"""One sharded cluster, and one API in front of it, for all live tests of a run.

Two shards of three members, real processes on free ports, data in a temporary directory that goes with the run. When
a test fails the logs of every process are kept in `test-logs/`.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from support import OF_THE_RUN, Login, free_port, keep_logs, log_in

from cluster.local import LocalCluster
from cluster.progress import Progress
from cluster.roles import ADMIN, API
from cluster.run.services import ADMIN_USERNAME, Services

# Failover in two seconds instead of ten: quick tests, and still slower than any pause of a loaded machine.
ELECTION_TIMEOUT_MS = 2_000
# `configureFailPoint` on every process: retries are tested with errors made to order.
TEST_COMMANDS = ("enableTestCommands=1",)


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The data directory of the run; its logs outlive it when a test has failed."""
    root = Path(tempfile.mkdtemp(prefix="shardboard-test-"))
    yield root
    if request.session.testsfailed:
        keep_logs(root, "cluster")
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def cluster(data_dir: Path, pytestconfig: pytest.Config) -> Iterator[LocalCluster]:
    """The cluster, healthy. A test that breaks it uses `breakable`."""
    shape = {"election_timeout_ms": ELECTION_TIMEOUT_MS, "members": pytestconfig.getoption("members")}
    tls = pytestconfig.getoption("tls")
    local = LocalCluster.create(data_dir, shape, free_port(20), extra_parameters=TEST_COMMANDS, tls=tls)
    try:
        local.up(Progress(quiet=True))
        yield local
    finally:
        local.kill()


@pytest.fixture(scope="session")
def spare_cluster(data_dir: Path) -> Iterator[LocalCluster]:
    """Two shards of single members, healthy, for tests of what administrators do: each leaves it as it was."""
    root = data_dir / "spare"
    shape = {"shards": 2, "members": 1, "routers": 1}
    local = LocalCluster.create(root, shape, free_port(6), extra_parameters=TEST_COMMANDS)
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
    port = free_port(3)
    services = Services(cluster, port, OF_THE_RUN, port + 1)
    try:
        services.create_first_admin()
        services.start_api()
        services.start_worker()
        yield services
    finally:
        services.stop()


@pytest.fixture(scope="session")
def admin(api: Services) -> Login:
    """The first administrator, logged in."""
    return log_in(api.url, ADMIN_USERNAME, api.admin_password)

"""The API starts in front of routers, and says in one sentence why it does not start in front of anything else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_support import KEY
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from support import free_port

from cluster.binaries import find_mongod
from cluster.layout import PACKAGE_ROOT
from cluster.local import LocalCluster
from cluster.roles import API
from cluster.wait import NotReady, wait_until

STARTS = {
    "serve": ["-m", "api", "serve"],
    "gunicorn": ["-m", "gunicorn", "-c", "api/gunicorn.conf.py", "api:create_app()"],
    "worker": ["-m", "api", "worker"],
}


@pytest.fixture(scope="module", params=["standalone", "replica set"])
def no_router(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URI of a mongod that is no router, and what it is."""
    directory, port = tmp_path_factory.mktemp("mongod"), free_port()
    replica_set = ["--replSet", "rs0"] if request.param == "replica set" else []
    options = ["--dbpath", str(directory), "--port", str(port), "--bind_ip", "127.0.0.1", *replica_set]
    with subprocess.Popen([*find_mongod(os.environ).command, *options], stdout=subprocess.DEVNULL) as mongod:
        try:
            uri = f"mongodb://127.0.0.1:{port}/"
            wait_until("mongod", lambda: require_answer(uri, initiate=bool(replica_set)), 30)
            yield uri, request.param
        finally:
            mongod.kill()


def require_answer(uri: str, initiate: bool) -> None:
    """Raises NotReady until the mongod can be written to."""
    with MongoClient(uri, directConnection=True, serverSelectionTimeoutMS=500) as client:
        try:
            if initiate and not client.admin.command("hello").get("setName"):
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": uri[10:-1]}]})
            if not client.admin.command("hello")["isWritablePrimary"]:
                raise NotReady("no primary")
        except PyMongoError as error:
            raise NotReady(str(error)) from error


def start(how: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to end by itself."""
    environ = {**os.environ, "JWT_KEYS": KEY, "PORT": str(free_port()), **settings}
    argv = [sys.executable, *STARTS[how]]
    return subprocess.run(argv, env=environ, cwd=PACKAGE_ROOT, timeout=60, capture_output=True, text=True)


def assert_refused(ended: subprocess.CompletedProcess[str], part: str) -> None:
    """One sentence on stderr, and an exit code of failure."""
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert part in ended.stderr


@pytest.mark.parametrize("how", STARTS)
def test_the_api_refuses_what_is_no_router(no_router: tuple[str, str], how: str) -> None:
    """Writes there would escape the cluster."""
    uri, kind = no_router
    ended = start(how, MONGODB_URI=uri)
    assert_refused(ended, kind)
    assert "router" in ended.stderr


def test_a_list_that_names_a_stranger_is_refused(cluster: LocalCluster, no_router: tuple[str, str]) -> None:
    """A shard's host beside the routers'."""
    stranger = no_router[0].removeprefix("mongodb://").rstrip("/")
    uri = cluster.uri(API).replace("@", f"@{stranger},", 1)
    ended = start("serve", MONGODB_URI=uri)
    assert ended.returncode != 0
    assert "MONGODB_URI" in ended.stderr


@pytest.mark.parametrize("how", STARTS)
def test_a_wrong_password_is_told_and_not_shown(cluster: LocalCluster, how: str) -> None:
    uri = cluster.uri(API)
    password = uri.partition("://")[2].partition(":")[2].partition("@")[0]
    wrong = uri.replace(password, "not-the-right-one-7")

    ended = start(how, MONGODB_URI=wrong)

    assert_refused(ended, "refused the login")
    assert "not-the-right-one-7" not in ended.stderr + ended.stdout


def test_production_refuses_the_stand_in(cluster: LocalCluster) -> None:
    """It is for development and tests."""
    if not cluster.router_kind.startswith("stand-in"):
        pytest.skip("a real mongos serves here")
    assert_refused(start("serve", MONGODB_URI=cluster.uri(API), ENVIRONMENT="production"), "stand-in")


def test_the_first_admin_is_made_once(cluster: LocalCluster, tmp_path: Path) -> None:
    """Again changes nothing; a weak password is refused by a sentence."""
    uri = tmp_path / "uri"
    uri.write_text(cluster.uri(API))
    environ = {**os.environ, "JWT_KEYS": KEY, "MONGODB_URI_FILE": str(uri), "MONGODB_DB": cluster.database}

    def first_admin(username: str, **more: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "api", "first-admin", "--username", username]
        return subprocess.run(
            argv, env={**environ, **more}, cwd=PACKAGE_ROOT, timeout=60, capture_output=True, text=True
        )

    assert_refused(first_admin("chief", FIRST_ADMIN_PASSWORD="password1"), "common")
    assert "was made" in first_admin("chief").stdout
    assert "nothing was changed" in first_admin("chief").stdout

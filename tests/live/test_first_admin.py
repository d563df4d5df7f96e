"""`scripts/cluster first-admin` on a real cluster: made once, with a password that is told once or given."""

import io
import re

import pytest
from api_support import Caller, log_in_as, ok
from support import Login

from cluster.__main__ import main
from cluster.local import LocalCluster
from cluster.roles import ADMIN
from cluster.run.services import Services


def first_admin(capsys: pytest.CaptureFixture[str], cluster: LocalCluster, *options: str) -> tuple[int, str]:
    """The exit code, and what was said."""
    code = main(["first-admin", "--data", str(cluster.data_dir.root), *options])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_an_admin_is_made_once(cluster: LocalCluster, api: Services, capsys: pytest.CaptureFixture[str]) -> None:
    """The password works, and is not told again."""
    code, said = first_admin(capsys, cluster, "--username", "mary")
    found = re.search(r"The password is (\S+)", said)
    assert (code, bool(found)) == (0, True), said
    who = log_in_as(api.url, "mary", found[1] if found else "")
    assert ok(who.get("/me"))["role"] == "admin"

    assert first_admin(capsys, cluster, "--username", "mary") == (
        0,
        "The admin mary exists; nothing was changed.\n",
    )


def test_a_password_may_be_given(
    cluster: LocalCluster, api: Services, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A weak one is refused in one sentence; through routers alone it works as well."""
    options = ("--username", "barbara", "--email", "barbara@example.net", "--password-stdin")
    monkeypatch.setattr("sys.stdin", io.StringIO("password1\n"))
    code, said = first_admin(capsys, cluster, *options)
    assert (code, said.count("\n")) == (1, 1)
    assert "most common passwords" in said

    monkeypatch.setattr("sys.stdin", io.StringIO("clusters need names\n"))
    by_uri = ("--uri", cluster.uri(ADMIN), "--secrets", str(cluster.secrets.directory))
    assert main(["first-admin", *by_uri, *options]) == 0
    assert capsys.readouterr().out == "The admin barbara was made.\n"
    assert log_in_as(api.url, "barbara", "clusters need names")


def test_somebody_else_of_that_name_is_no_admin(
    cluster: LocalCluster, api: Services, admin: Login, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"username": "mallory", "email": "mallory@example.org", "password": "correct horse 7"}
    ok(Caller(api.url).post("/auth/register", body), 201)

    code, said = first_admin(capsys, cluster, "--username", "mallory")

    assert code == 1
    assert "is no admin: choose another --username" in said


def test_without_the_logins_of_the_cluster_nothing_is_made(
    cluster: LocalCluster, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """A password of the API's that nobody knows would help nobody."""
    assert main(["first-admin", "--uri", cluster.uri(ADMIN), "--secrets", str(tmp_path)]) == 1
    assert "holds no login of the API" in capsys.readouterr().err

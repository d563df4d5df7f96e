"""`cluster secrets`: what it makes, with which modes, and that it changes nothing that exists."""

import os
from pathlib import Path

import pytest

from cluster.__main__ import main
from cluster.errors import ClusterError
from cluster.secret_files import make_secrets


def modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


def test_keyfile_and_passwords_are_for_their_owner_only(tmp_path: Path) -> None:
    """400 for the keyfile, as mongod demands, 600 for the rest, 700 for the directory."""
    directory = tmp_path / "secrets"

    assert main(["secrets", "--dir", str(directory)]) == 0

    found = modes(directory)
    assert found.pop("keyfile") == 0o400 and set(found.values()) == {0o600}
    assert {"shardboard_admin.password", "shardboard_api_a.password", "jwt_keys", "first_admin.password"} <= set(found)
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_second_time_nothing_changes_but_wrong_modes(tmp_path: Path) -> None:
    """A cluster depends on what is there; a file that others could read is corrected."""
    list(make_secrets(tmp_path))
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    (tmp_path / "jwt_keys").chmod(0o644)

    lines = list(make_secrets(tmp_path))

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
    assert all(line.endswith("kept") for line in lines) and modes(tmp_path)["jwt_keys"] == 0o600


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Names and modes only: what is printed ends up in logs."""
    said = "\n".join(make_secrets(tmp_path))

    assert not [path for path in tmp_path.iterdir() if path.read_text().strip() in said]


def test_giving_the_keyfile_away_needs_root_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MongoDB's images run as uid 999; the remedy is part of the message."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)

    with pytest.raises(ClusterError, match="Only root can give .*keyfile to uid 999: run `sudo chown 999:999"):
        list(make_secrets(tmp_path, 999))

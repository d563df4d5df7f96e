"""Generated secrets: long, private, made once."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster.secrets import Secrets


def test_a_password_is_made_once_and_kept(tmp_path: Path) -> None:
    """A restart keeps every login."""
    first = Secrets(tmp_path / "secrets").password("shardboard_api")

    assert Secrets(tmp_path / "secrets").password("shardboard_api") == first
    assert len(first) >= 32


def test_two_names_have_two_passwords(tmp_path: Path) -> None:
    """One that leaks opens one door."""
    secrets = Secrets(tmp_path)

    assert secrets.password("shardboard_api") != secrets.password("shardboard_worker")


def test_the_keyfile_is_what_mongod_takes(tmp_path: Path) -> None:
    """6 to 1024 base64 characters, readable by its owner only."""
    secrets = Secrets(tmp_path)

    assert stat.S_IMODE(secrets.keyfile.stat().st_mode) == 0o400
    assert 6 <= len(secrets.system_password) <= 1024
    assert secrets.system_password.replace("+", "").replace("/", "").isalnum()


def test_files_and_directory_are_private(tmp_path: Path) -> None:
    """Whatever the umask of the caller."""
    secrets = Secrets(tmp_path / "secrets")
    secrets.password("shardboard_api")
    secrets.key("jwt")

    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "secrets").iterdir()} == {0o600}


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    """Two commands that start together agree on the password."""
    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(lambda _: Secrets(tmp_path).password("shardboard_api"), range(64)))

    assert len(answers) == 1
    assert len(list(tmp_path.iterdir())) == 1

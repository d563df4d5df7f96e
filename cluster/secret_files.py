"""`cluster secrets`: every secret that nodes and services need, as files that only their owner can read."""

import os
from collections.abc import Iterator
from pathlib import Path

from .errors import ClusterError
from .layout import write_private
from .roles import ACCOUNTS
from .secrets import KEYFILE, Secrets

FIRST_ADMIN = "first_admin"
KEYFILE_MODE, FILE_MODE, DIRECTORY_MODE = 0o400, 0o600, 0o700


def make_secrets(directory: Path, owner: int | None = None) -> Iterator[str]:
    """Makes what is missing and corrects modes; a line a file. What exists is kept: a cluster may depend on it.

    Raises:
        ClusterError: the directory cannot be written, or the keyfile cannot be given to `owner`.
    """
    before = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    secrets = Secrets(directory)
    try:
        _make(secrets)
        for path in sorted(path for path in directory.iterdir() if not path.is_symlink()):
            mode = KEYFILE_MODE if path.name == KEYFILE else FILE_MODE
            path.chmod(mode)
            yield f"{path}  {mode:o}  {'kept' if path.name in before else 'made'}"
        directory.chmod(DIRECTORY_MODE)
    except OSError as error:
        raise ClusterError(f"{directory} cannot be written ({error.strerror}): name another --dir.") from error
    if owner is not None:
        _give(secrets.keyfile, owner)
        yield f"{secrets.keyfile} belongs to uid {owner}."


def _make(secrets: Secrets) -> None:
    _ = secrets.keyfile
    for account in ACCOUNTS:
        secrets.generation(account.name)
    secrets.password(FIRST_ADMIN)
    keys = secrets.directory / "jwt_keys"
    if not keys.exists():
        write_private(keys, f"key-1:{secrets.key('jwt')}\n")


def _give(keyfile: Path, owner: int) -> None:
    try:
        os.chown(keyfile, owner, owner)
    except PermissionError as error:
        raise ClusterError(
            f"Only root can give {keyfile} to uid {owner}: run `sudo chown {owner}:{owner} {keyfile}`, or, "
            f"in a container: docker run --rm -v {keyfile.parent}:/s debian:12 chown {owner}:{owner} /s/{keyfile.name}."
        ) from error

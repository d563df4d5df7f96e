"""Where a local cluster keeps things: one data directory, and the `cluster.json` in it.

cluster.json      the topology: it outlives every process, so that a restart finds the same ports
secrets/          keyfile, passwords and certificates, mode 600 and less
db/NAME/          data of the member NAME
logs/NAME.log     what it logs, logs/NAME.out what it printed before logging began
pids/NAME.json    its process
letters/          what the worker has sent to people
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .errors import ClusterError
from .topology import Cluster, Member, ReplicaSet, Router

FORMAT = 1
PACKAGE_ROOT = Path(__file__).resolve().parents[1]


class DataDir:
    """The paths in a data directory; makes what is missing when it is written to."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.cluster_file = self.root / "cluster.json"
        self.secrets = self.root / "secrets"
        self.pids = self.root / "pids"
        self.logs = self.root / "logs"
        self.letters = self.root / "letters"

    def db(self, name: str) -> Path:
        return self.root / "db" / name

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def output(self, name: str) -> Path:
        return self.logs / f"{name}.out"

    def pid(self, name: str) -> Path:
        return self.pids / f"{name}.json"

    def make(self) -> None:
        """The directories, readable by this user only.

        Raises:
            ClusterError: they cannot be made or written.
        """
        try:
            for directory in (self.root, self.root / "db", self.secrets, self.pids, self.logs):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.root / "lock").touch(mode=0o600)
        except OSError as error:
            raise ClusterError(
                f"{self.root} cannot be written ({error.strerror}): choose another place with --data."
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the directory against other commands, for as long as the processes or the topology change.

        Raises:
            ClusterError: another command holds it.
        """
        self.make()
        with (self.root / "lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ClusterError(
                    f"Another command is at work on {self.root}: wait until it has ended, then try again."
                ) from error
            yield

    def save(self, cluster: Cluster) -> None:
        """Replaces `cluster.json` in one step, so that no crash leaves half of one."""
        write_private(self.cluster_file, json.dumps({"format": FORMAT, **asdict(cluster)}, indent=2))

    def load(self) -> Cluster | None:
        """The topology that was saved; None in a fresh directory.

        Raises:
            ClusterError: the file is damaged, or of another version of Shardboard.
        """
        try:
            saved = json.loads(self.cluster_file.read_text())
            return _cluster(saved) if saved["format"] == FORMAT else self._refuse("is of another version")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ClusterError(
                f"{self.cluster_file} cannot be read ({error.strerror}): name another --data."
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            return self._refuse(f"is damaged ({error})", error)

    def _refuse(self, why: str, cause: Exception | None = None) -> Cluster:
        raise ClusterError(f"{self.cluster_file} {why}: restore it, or choose another place with --data.") from cause


def write_private(path: Path, text: str) -> None:
    """Writes a file of mode 600 in one step: readers see the old text or the new."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _cluster(saved: dict[str, Any]) -> Cluster:
    return Cluster(
        _replica_set(saved["config_set"]),
        tuple(_replica_set(shard) for shard in saved["shards"]),
        tuple(Router(**router) for router in saved["routers"]),
        saved["election_timeout_ms"],
        saved.get("tls", False),
    )


def _replica_set(saved: dict[str, Any]) -> ReplicaSet:
    return ReplicaSet(saved["name"], saved["role"], tuple(Member(**member) for member in saved["members"]))

"""What tests of several folders use: free ports, logins, kept logs. `from support import free_port`."""

import fcntl
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests

from cluster.layout import DataDir
from cluster.nodes.ports import is_free

KEPT_LOGS = Path(__file__).resolve().parents[1] / "test-logs"
# Below those that the system gives to outgoing connections.
FIRST_PORT, LAST_PORT = 20_000, 32_000
BLOCK = 100

# All tests call from one address, and many of them fail to log in on purpose.
LIMITS = ("LOGIN_TRIES_ADDRESS", "AUTH_REQUESTS_ADDRESS", "AUTH_REFRESHES_ADDRESS")
FROM_ONE_ADDRESS = dict.fromkeys(LIMITS, "100000")
# Logins that last for the run on a slow machine as well.
OF_THE_RUN = {**FROM_ONE_ADDRESS, "ACCESS_TOKEN_S": "7200"}


def free_port(count: int = 1) -> int:
    """The first of `count` free ports in a row, which no other test run on this machine is given while this one lasts.

    Raises:
        AssertionError: there are none left.
    """
    if not _free or _free[-1].stop - _free[-1].start < count:
        _free.append(_reserve())
    block = _free[-1]
    for first in range(block.start, block.stop - count + 1):
        if all(is_free(port) for port in range(first, first + count)):
            _free[-1] = range(first + count, block.stop)
            return first
    _free.append(_reserve())
    return free_port(count)


# What is left of each block of ports that this process has reserved, and the locks that it holds on them.
_free: list[range] = []
_locks: list[IO[str]] = []


def _reserve() -> range:
    """A block of ports that nobody else has; it is given back when this process ends."""
    directory = Path(tempfile.gettempdir()) / "shardboard-test-ports"
    directory.mkdir(mode=0o777, exist_ok=True)
    for first in random.sample(range(FIRST_PORT, LAST_PORT, BLOCK), (LAST_PORT - FIRST_PORT) // BLOCK):
        lock = (directory / str(first)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _locks.append(lock)
        return range(first, first + BLOCK)
    raise AssertionError(f"every block of ports in {directory} is reserved")


def keep_logs(root: Path, name: str) -> None:
    """Copies the logs of the data directory `root` to `test-logs/name`, in place of those of an earlier run."""
    target, logs = KEPT_LOGS / name, DataDir(root).logs
    shutil.rmtree(target, ignore_errors=True)
    if logs.exists():
        shutil.copytree(logs, target)


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
    """Logs in over HTTP at the API under `url`."""
    body = {"username": username, "password": password}
    answer = requests.post(f"{url}/api/v1/auth/login", json=body, timeout=10)
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    return Login(username, password, tokens["access_token"], tokens["refresh_token"])

"""What tests of several folders use: free ports, logins, kept logs. `from support import free_port`."""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import requests

from cluster.layout import DataDir
from cluster.nodes.ports import find_block

KEPT_LOGS = Path(__file__).resolve().parents[1] / "test-logs"
# Runs side by side on one machine look for their ports in different places.
FIRST_PORT, LAST_PORT = 20_000, 30_000

# All tests call from one address, and many of them fail to log in on purpose.
LIMITS = ("LOGIN_TRIES_ADDRESS", "AUTH_REQUESTS_ADDRESS", "AUTH_REFRESHES_ADDRESS")
FROM_ONE_ADDRESS = dict.fromkeys(LIMITS, "100000")


def free_port(count: int = 1) -> int:
    """The first of `count` free ports in a row."""
    return find_block(count, random.randrange(FIRST_PORT, LAST_PORT, 100))


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

"""Secrets stay where they belong: not in a log, an argument, an environment or the body of an error.

Every member is told to log each operation, as it does with slow ones on a loaded machine.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from api_support import PASSWORD, Caller, assert_problem, log_in_as, ok, registration
from test_api_letters import RESET, WELCOME, token_in, wait_letter

from cluster.local import LocalCluster
from cluster.run.services import Services

NEW_PASSWORD = "quite another horse 9"
WRONG_PASSWORD = "no horse of mine 5"


@pytest.fixture
def wordy(cluster: LocalCluster) -> Iterator[LocalCluster]:
    """The cluster, whose members log every operation with its command for a while."""
    with cluster.connections() as connections:
        clients = [connections.member(member) for member in cluster.cluster.members]
        for client in clients:
            client.admin.command("profile", 0, slowms=-1)
        yield cluster
        for client in clients:
            client.admin.command("profile", 0, slowms=100)


def lines_of(path: Path) -> list[str]:
    """What would give a secret file away: its lines, but those that only frame a key."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("-----")]


def kept_secrets(cluster: LocalCluster) -> set[str]:
    """Keyfile, passwords, signing keys, connection strings."""
    files = [path for path in cluster.data_dir.secrets.iterdir() if path.is_file() and path.name != "ca.pem"]
    return {line for path in files for line in lines_of(path)}


def a_persons_life(url: str, cluster: LocalCluster) -> tuple[set[str], list[str]]:
    """Somebody signs up, mistypes, refreshes, forgets: what was secret in it, and the errors that were told."""
    body = registration()
    ok(Caller(url).post("/auth/register", body), 201)
    verify = token_in(wait_letter(cluster, body["email"], WELCOME))
    who = log_in_as(url, body["username"])
    errors = [
        Caller(url).post("/auth/login", {"username": body["username"], "password": WRONG_PASSWORD}),
        Caller(url).post("/auth/login", {"username": WRONG_PASSWORD, "password": WRONG_PASSWORD, "extra": 1}),
        Caller(url).call("POST", "/auth/login", data=f'{{"password": "{WRONG_PASSWORD}", ', headers=JSON),
        Caller(url, {"Authorization": f"{who.headers['Authorization']}x"}).get("/me"),
        who.put("/me/password", {"current_password": WRONG_PASSWORD, "new_password": "short"}),
        Caller(url).post("/auth/refresh", {"refresh_token": f"{who.refresh_token}x"}),
        Caller(url).post("/auth/verify-email", {"token": f"{verify}x"}),
    ]
    renewed = ok(Caller(url).post("/auth/refresh", {"refresh_token": who.refresh_token}))
    ok(Caller(url).post("/auth/verify-email", {"token": verify}), 204)
    ok(Caller(url).post("/auth/password-reset", {"email": body["email"]}), 202)
    reset = token_in(wait_letter(cluster, body["email"], RESET))
    ok(Caller(url).post("/auth/password-reset/confirm", {"token": reset, "new_password": NEW_PASSWORD}), 204)
    again = log_in_as(url, body["username"], NEW_PASSWORD)
    tokens = {token for login in (who, again) for token in tokens_of(login)} | {verify, reset}
    return tokens | {renewed["access_token"], renewed["refresh_token"], PASSWORD, NEW_PASSWORD, WRONG_PASSWORD}, [
        told(answer) for answer in errors
    ]


JSON = {"Content-Type": "application/json"}


def tokens_of(who: Caller) -> tuple[str, str]:
    return who.headers["Authorization"].removeprefix("Bearer "), who.refresh_token


def told(answer: requests.Response) -> str:
    """The body of an error."""
    assert_problem(answer, answer.status_code)
    assert answer.status_code >= 400
    return answer.text


def processes(cluster: LocalCluster, api: Services) -> list[psutil.Process]:
    """Every process of the run, with those that it has started."""
    pids = [cluster.nodes.pid(node) for node in cluster.cluster.nodes] + [api.api.pid, api.worker.pid]
    found = [psutil.Process(pid) for pid in pids]
    return [each for process in found for each in (process, *process.children(recursive=True))]


def found_in(text: str, secrets: set[str]) -> list[str]:
    """The beginnings of the secrets that `text` holds: a failing test must not show them whole."""
    return sorted(secret[:6] for secret in secrets if secret in text)


def test_no_secret_is_in_a_log_an_argument_an_environment_or_an_error(api: Services, wordy: LocalCluster) -> None:
    """Of those that the cluster was made with, and of those that were issued and typed meanwhile."""
    issued, errors = a_persons_life(api.url, wordy)
    secrets = kept_secrets(wordy) | issued
    assert min(map(len, secrets)) >= len(PASSWORD)
    files = [path for path in wordy.data_dir.logs.rglob("*") if path.is_file()]
    logs = {path.name: path.read_text(errors="replace") for path in files}
    running = processes(wordy, api)

    # What is looked through holds what it should: requests, and commands of members.
    assert "/auth/login" in logs["api.out"] and any('"Slow query"' in text for text in logs.values())
    assert len(running) >= len(wordy.cluster.nodes) + 4
    assert {name: found_in(text, secrets) for name, text in logs.items() if found_in(text, secrets)} == {}
    assert [found for error in errors if (found := found_in(error, secrets))] == []
    for process in running:
        assert found_in(" ".join(process.cmdline()), secrets) == [], process.name()
        assert found_in("\n".join(process.environ().values()), secrets) == [], process.name()

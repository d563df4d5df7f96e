"""Guessing names and passwords: what the time of an answer tells, how many guesses one address has, who counts them."""

import secrets
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from api_support import KEY, PASSWORD, Caller, application, assert_problem, at_once, registration, sign_up, statuses
from bson import ObjectId
from flask import Flask
from pymongo.database import Database
from second_api import second_api
from two_routers import door

from api import create_app, openapi
from api.endpoint import Access
from api.passwords import Passwords
from api.services import services
from api.store import login_attempts
from api.store.login_attempts import Limit
from api.throttle import address_key
from cluster.local import LocalCluster
from cluster.roles import API
from cluster.run.services import Services

ROUNDS = 40
# Without a hash for unknown names they take two fifths of the time. Medians of pairs differ by a few percent on a
# machine that does other work at the same time.
ALIKE = (0.7, 1.4)
TRIES, REQUESTS = 5, 8
SETTINGS = {
    "LOGIN_TRIES_ACCOUNT": "100000",
    "LOGIN_TRIES_ADDRESS": str(TRIES),
    "AUTH_REQUESTS_ADDRESS": str(REQUESTS),
    "AUTH_REFRESHES_ADDRESS": str(REQUESTS),
    # So that who waits for a shard that does not answer gives up soon.
    "DEADLINE_WRITE_MS": "4000",
    "TRUSTED_PROXIES": "1",
    "WORKERS": "1",
}


@pytest.fixture(scope="module")
def url(api: Services) -> Iterator[str]:
    """Where an API is that locks addresses and believes the proxy in front of it."""
    with second_api(api, SETTINGS) as found:
        yield found


def address() -> str:
    """One that nobody has called from."""
    return f"2001:db8::{secrets.token_hex(2)}:{secrets.token_hex(2)}"


def guess(url: str, username: str, origin: str) -> requests.Response:
    body = {"username": username, "password": "wrong horse"}
    return Caller(url).post("/auth/login", body, headers={"X-Forwarded-For": origin})


def test_a_known_and_an_unknown_name_take_equally_long(api: Services, url: str) -> None:
    """Asked in turn, so that whatever else happens on the machine happens to both."""
    known = sign_up(api.url).username
    pairs = [(seconds(url, known), seconds(url, registration()["username"])) for _ in range(ROUNDS)]

    ratio = statistics.median(first / second for first, second in pairs)
    assert ALIKE[0] < ratio < ALIKE[1], f"known / unknown: {ratio:.2f}"


def seconds(url: str, username: str) -> float:
    """The time of one wrong guess."""
    started = time.perf_counter()
    answer = guess(url, username, address())
    elapsed = time.perf_counter() - started
    assert_problem(answer, 401)
    return elapsed


def test_one_address_tries_many_accounts_a_few_times_only(url: str) -> None:
    """Whether they exist or not; others are not held up, and what a client says before the proxy is not believed."""
    origin = address()
    found = [guess(url, registration()["username"], origin).status_code for _ in range(TRIES + 1)]

    assert found == [401] * TRIES + [429]
    assert_problem(guess(url, registration()["username"], f"{address()}, {origin}"), 429)
    assert_problem(guess(url, registration()["username"], address()), 401)


def test_what_a_lock_refuses_costs_no_hash(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come at once: else whoever guesses at a locked account takes every core."""
    hashed: list[str] = []
    matches = Passwords.matches

    def seen(passwords: Passwords, stored: str | None, password: str) -> bool:
        hashed.append(password)
        return matches(passwords, stored, password)

    with door(cluster, 0, LOGIN_TRIES_ACCOUNT=str(TRIES)) as api:
        wrong = {"username": registration()["username"], "password": "wrong horse"}
        monkeypatch.setattr(Passwords, "matches", seen)
        answers = at_once([lambda: api.call("POST", "/auth/login", wrong).status_code for _ in range(3 * TRIES)])

    assert Counter(answers) == {401: TRIES, 429: 2 * TRIES}
    assert len(hashed) == TRIES


SECRET = "x" * 40
# What anybody may ask for without a token, the setting that limits it, and the answer while it is let through.
OPEN: dict[str, tuple[str, Callable[[], Any], int]] = {
    "/auth/register": ("auth_requests_address", registration, 201),
    "/register": ("auth_requests_address", registration, 201),
    "/auth/password-reset/confirm": (
        "auth_requests_address",
        lambda: {"token": SECRET, "new_password": "battery staple 8"},
        422,
    ),
    "/auth/verify-email": ("auth_requests_address", lambda: {"token": SECRET}, 422),
    "/auth/refresh": ("auth_refreshes_address", lambda: {"refresh_token": f"{SECRET}.{SECRET}"}, 401),
}


def ask(url: str, path: str, origin: str) -> requests.Response:
    return Caller(url).post(path, OPEN[path][1](), headers={"X-Forwarded-For": origin})


def test_every_write_without_a_token_is_limited() -> None:
    """A new route must say how; logins and letters have counters of their own."""
    limited = {
        str(rule): "too_many_requests" in openapi.codes_of(rule, contract)
        for rule, method, contract, _ in openapi._routes(application())
        if method == "POST" and contract.access is Access.ANYONE
    }

    assert {f"/api/v1{path}" for path in OPEN} <= limited.keys()
    assert [path for path, is_limited in limited.items() if not is_limited] == []


@pytest.mark.parametrize("path", OPEN)
def test_one_address_asks_a_few_times_only_and_others_are_not_held_up(url: str, path: str) -> None:
    """However many of its requests come at once, exactly so many are let through."""
    setting, _, status = OPEN[path]
    origin = address()

    answers = at_once([lambda: ask(url, path, origin) for _ in range(3 * REQUESTS)])

    assert statuses(answers) == {status: REQUESTS, 429: 2 * REQUESTS}
    assert_problem(refused := ask(url, path, f"{address()}, {origin}"), 429)
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert ask(url, path, address()).status_code == status


def test_the_next_window_is_a_whole_one(url: str, db: Database[dict[str, Any]]) -> None:
    """Nobody stays locked out because an office has had too many at once."""
    origin, path = address(), "/auth/verify-email"
    for _ in range(REQUESTS + 1):
        last = ask(url, path, origin)
    assert_problem(last, 429)

    key = {"_id": f"auth_requests_address:{address_key(origin)}"}
    assert db["login_attempts"].update_one(key, {"$set": {"expires_at": datetime.now(UTC)}}).matched_count == 1

    found = [ask(url, path, origin).status_code for _ in range(REQUESTS + 1)]
    assert found == [422] * REQUESTS + [429]


@contextmanager
def nothing_counted(cluster: LocalCluster) -> Iterator[None]:
    """Every member fails to count, whoever asks, and does everything else."""
    counting = {"failCommands": ["findAndModify"], "namespace": f"{cluster.database}.login_attempts"}
    # A router is an internal client of theirs.
    data = {**counting, "failInternalCommands": True, "errorCode": 50}
    with cluster.connections() as connections:
        members = [connections.member(member).admin for member in cluster.cluster.members]
        try:
            for member in members:
                member.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
            yield
        finally:
            for member in members:
                member.command("configureFailPoint", "failCommand", mode="off")


def test_nobody_gets_in_while_nothing_can_be_counted(api: Services, cluster: LocalCluster, url: str) -> None:
    """Not with the right password either: else whoever brings the counters down may guess without end."""
    who, stranger = sign_up(api.url), registration()
    asked = {
        "/auth/login": {"username": who.username, "password": PASSWORD},
        "/auth/register": stranger,
        "/auth/refresh": {"refresh_token": who.refresh_token},
        "/auth/password-reset": {"email": stranger["email"]},
        "/auth/verify-email": {"token": SECRET},
    }

    with nothing_counted(cluster):
        answers = {path: post(url, path, body).status_code for path, body in asked.items()}
        assert who.get("/me").status_code == 200  # the rest of the service goes on

    assert {path: status for path, status in answers.items() if status not in (503, 504)} == {}
    found = {path: post(url, path, body).status_code for path, body in asked.items()}
    assert found == dict(zip(asked, (200, 201, 200, 202, 422), strict=True))


def post(url: str, path: str, body: dict[str, Any]) -> requests.Response:
    """From where nobody has called before."""
    return Caller(url).post(path, body, headers={"X-Forwarded-For": address()})


@pytest.fixture
def app(cluster: LocalCluster) -> Iterator[Flask]:
    """The application in this process."""
    made = create_app({"MONGODB_URI": cluster.uri(API), "JWT_KEYS": KEY, "MONGODB_DB": cluster.database})
    with made.app_context():
        yield made
        services().connection.close()


def test_a_lock_that_was_set_for_one_too_few_goes(app: Flask) -> None:
    """Three may fail. Of the third, which locks, and the second, one was no failure: one more may be tried."""
    limit, at, key = Limit(3, 900, 60, 3600), datetime.now(UTC), f"test:{ObjectId()}"
    with app.app_context():
        attempts = [login_attempts.count_attempt(key, at, limit) for _ in range(4)]
        assert [attempt.is_refused for attempt in attempts] == [False, False, False, True]

        login_attempts.take_back_attempt(key, at)

        assert [login_attempts.count_attempt(key, at, limit).is_refused for _ in range(2)] == [False, True]

"""Guessing names and passwords: what the time of an answer tells, and how many guesses one address has."""

import secrets
import statistics
import time
from collections.abc import Iterator

import pytest
import requests
from api_support import Caller, assert_problem, registration, sign_up
from second_api import second_api

from cluster.run.services import Services

ROUNDS = 40
# Without a hash for unknown names they take two fifths of the time. Medians of pairs differ by a few percent on a
# machine that does other work at the same time.
ALIKE = (0.7, 1.4)
TRIES = 5
SETTINGS = {
    "LOGIN_TRIES_ACCOUNT": "100000",
    "LOGIN_TRIES_ADDRESS": str(TRIES),
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


def test_a_known_and_an_unknown_name_take_equally_long(url: str) -> None:
    """Asked in turn, so that whatever else happens on the machine happens to both."""
    known = sign_up(url).username
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

"""Signing keys are exchanged while people are logged in: nobody notices, until the old key is dropped."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import jwt
import pytest
from api_support import KEY, PASSWORD, registration
from two_routers import Door, door

from cluster.local import LocalCluster

NEW_KEY = "kid-2:0b7de2f94c618a35e07fd1c92b64a8f3315c9e7d"
# Of an API before the exchange, while it goes on, and after it.
GENERATIONS = {"before": KEY, "during": f"{NEW_KEY},{KEY}", "after": NEW_KEY}

Tokens = dict[str, Any]


@pytest.fixture(scope="module")
def doors(cluster: LocalCluster) -> Iterator[dict[str, Door]]:
    """The API with the keys of each generation, on one cluster."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(door(cluster, 0, JWT_KEYS=keys)) for name, keys in GENERATIONS.items()}


@pytest.fixture
def old(doors: dict[str, Door]) -> Tokens:
    """The tokens of somebody who logged in before the exchange."""
    body = registration()
    assert doors["before"].call("POST", "/auth/register", body).status_code == 201
    answer = doors["before"].call("POST", "/auth/login", {"username": body["username"], "password": PASSWORD})
    assert answer.status_code == 200
    return dict(answer.get_json())


def enters(at: Door, tokens: Tokens) -> int:
    """The answer to an access token."""
    return at.call("GET", "/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}).status_code


def refreshed(at: Door, tokens: Tokens) -> Tokens:
    answer = at.call("POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def kid(tokens: Tokens) -> str:
    return str(jwt.get_unverified_header(tokens["access_token"])["kid"])


def test_nobody_is_logged_out_while_both_keys_are_listed(doors: dict[str, Door], old: Tokens) -> None:
    """Old tokens go on, whoever has a new one is let in by it."""
    assert (kid(old), enters(doors["during"], old)) == ("kid-1", 200)

    new = refreshed(doors["during"], old)

    assert (kid(new), enters(doors["during"], new)) == ("kid-2", 200)
    assert enters(doors["during"], old) == 200


def test_the_reuse_of_a_token_from_before_is_still_found_out(doors: dict[str, Door], old: Tokens) -> None:
    """It is known as ours by the key that made it."""
    newest = refreshed(doors["during"], refreshed(doors["during"], refreshed(doors["during"], old)))

    stolen = doors["during"].call("POST", "/auth/refresh", {"refresh_token": old["refresh_token"]})

    assert stolen.status_code == 401
    assert enters(doors["during"], newest) == 401


def test_a_key_that_is_dropped_takes_its_access_tokens_along_and_no_login(doors: dict[str, Door], old: Tokens) -> None:
    """Refresh tokens are not signed: whoever comes with an old one gets tokens of the new key."""
    new = refreshed(doors["during"], old)

    assert (enters(doors["after"], old), enters(doors["after"], new)) == (401, 200)
    assert (kid(renewed := refreshed(doors["after"], new)), enters(doors["after"], renewed)) == ("kid-2", 200)


def test_an_old_refresh_token_outlives_its_key(doors: dict[str, Door], old: Tokens) -> None:
    assert enters(doors["after"], refreshed(doors["after"], old)) == 200


def test_an_api_that_does_not_know_the_new_key_yet_refuses_it(doors: dict[str, Door], old: Tokens) -> None:
    """Why the new key is first given to all of them as the second one."""
    new = refreshed(doors["during"], old)

    assert (enters(doors["before"], old), enters(doors["before"], new)) == (200, 401)

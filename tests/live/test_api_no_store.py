"""No cache keeps a secret: whatever answers a token, or about one, says so on every path."""

import pytest
import requests
from api_support import PASSWORD, Caller, application, ok, sign_up

from api import openapi
from api.schemas import accounts, changes
from cluster.run.services import Services

TOLD = {accounts.TokenPair, accounts.Verified, changes.Ticket}
ROUTES = {
    f"{method} {rule}": contract
    for rule, method, contract, _ in openapi._routes(application())
    if TOLD.intersection(contract.answers.values())
}


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    return sign_up(api.url)


def ask(who: Caller, route: str) -> requests.Response:
    """What the route answers to somebody with everything it may want."""
    method, _, path = route.partition(" ")
    if ROUTES[route].body is accounts.Login:
        return who.call(method, f"/{path}", json={"username": who.username, "password": PASSWORD})
    if ROUTES[route].body is accounts.Refresh:
        return who.call(method, f"/{path}", json={"refresh_token": who.refresh_token})
    return who.call(method, f"/{path}")


def test_the_routes_with_tokens_are_found() -> None:
    """By what they declare to answer."""
    found = {route.removeprefix("POST /api/v1").removeprefix("GET /api/v1") for route in ROUTES}
    assert {"/auth/login", "/auth/refresh", "/auth/verify", "/changes/ticket", "/login"} <= found


@pytest.mark.parametrize("route", ROUTES)
def test_an_answer_with_a_token_is_kept_by_no_cache(ada: Caller, route: str) -> None:
    answer = ask(ada, route)

    assert ok(answer)
    assert answer.headers["Cache-Control"] == "no-store"

"""What can be asked of the API without a database: shapes of refusals, headers, documents."""

import re

import pytest
from api_support import assert_problem, sample_path
from flask import Flask
from flask.testing import FlaskClient

from api import openapi

REGISTER = "/api/v1/auth/register"


def test_a_name_in_two_objects_is_not_there_twice(http: FlaskClient) -> None:
    """The members of one object are meant."""
    answer = http.post(REGISTER, json={"username": {"a": 1}, "email": {"a": 1}, "password": [{"a": 1}, {"a": 1}]})

    assert_problem(answer, 422)


def test_a_refusal_names_the_field(http: FlaskClient) -> None:
    """By a pointer that a form can use."""
    answer = http.post(REGISTER, json={"username": "a", "email": "ada@example.org", "password": "correct horse 7"})

    assert [error["pointer"] for error in answer.get_json(force=True)["errors"]] == ["/username"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/tasks/", 404),
        ("PUT", "/api/v1/tasks", 405),
        ("POST", "/health/live", 405),
        ("GET", "/api/v1/tasks", 401),
        ("GET", "/api/v1/users", 401),
        ("PATCH", "/api/v1/me", 401),
        ("GET", "/health/live?x=1", 422),
    ],
)
def test_every_refusal_has_the_one_shape(http: FlaskClient, method: str, path: str, status: int) -> None:
    assert_problem(http.open(path, method=method), status)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "bearer \x7f", "Token x"])
def test_what_is_no_token_is_401(http: FlaskClient, header: str) -> None:
    answer = http.get("/api/v1/me", headers={"Authorization": header})

    assert_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_every_route_with_a_token_refuses_without_one(app: Flask, http: FlaskClient) -> None:
    """None was forgotten."""
    for rule, method, contract, name in openapi._routes(app):
        if contract.access.value.startswith("anyone"):
            continue
        assert http.open(sample_path(str(rule)), method=method).status_code == 401, name


def test_without_a_router_a_read_is_503_in_time(http: FlaskClient) -> None:
    """Liveness does not depend on it."""
    assert http.get("/health/ready").status_code == 503
    assert http.get("/health/live").status_code == 200
    answer = http.get("/api/v1/stats")
    assert_problem(answer, 503)
    assert answer.headers["Retry-After"]


def test_without_a_router_a_sign_up_is_certainly_not_applied(http: FlaskClient) -> None:
    body = {"username": "ada", "email": "ada@example.org", "password": "correct horse 7"}
    assert_problem(http.post(REGISTER, json=body), 503)


@pytest.mark.parametrize(
    ("given", "is_taken"), [("abcdef-123", True), ("a b c d e f", False), ("x" * 500, False), ("short", False)]
)
def test_a_sane_request_id_is_taken(http: FlaskClient, given: str, is_taken: bool) -> None:
    """It goes into logs and documents."""
    answer = http.get("/health/live", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is is_taken


def test_browsers_are_told_to_be_careful(http: FlaskClient) -> None:
    headers = http.get("/health/live").headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "no-" in headers["Cache-Control"]


def test_only_listed_origins_may_call(http: FlaskClient) -> None:
    """And learn the headers they need."""
    ours = http.options(
        "/api/v1/tasks",
        headers={"Origin": "https://dash.example.org", "Access-Control-Request-Method": "POST"},
    ).headers
    theirs = http.options("/api/v1/tasks", headers={"Origin": "https://evil.example.org"}).headers

    assert ours["Access-Control-Allow-Origin"] == "https://dash.example.org"
    assert "If-Match" in ours["Access-Control-Allow-Headers"]
    assert "ETag" in ours["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in theirs
    assert "Origin" in theirs["Vary"]


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "tasks", "authorization,range"),
        ("GET", f"tasks/{'A' * 32}", "authorization"),
        ("POST", "tasks", "authorization,content-type"),
        ("PUT", f"tasks/{'A' * 32}", "authorization,content-type,if-match"),
        ("DELETE", f"tasks/{'A' * 32}", "authorization,content-type"),
    ],
)
def test_a_browser_lets_a_data_provider_call(http: FlaskClient, method: str, path: str, asked: str) -> None:
    """The preflight of each request that it sends, and the header that it reads."""
    sent = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked}
    answer = http.options(f"/api/v1/simple-rest/{path}", headers={"Origin": "https://dash.example.org", **sent})
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")

    assert answer.status_code == 204
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert set(asked.split(",")) <= set(allowed)
    assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("path", ["/api/v1/tasks/no-id", "/api/v1/nothing", "/nothing"])
def test_a_page_learns_of_a_404(http: FlaskClient, path: str) -> None:
    """Its browser asks first whether it may ask, and tells it nothing of a preflight that fails."""
    origin = {"Origin": "https://dash.example.org"}
    preflight = http.options(path, headers={**origin, "Access-Control-Request-Method": "GET"})
    answer = http.get(path, headers=origin)

    assert (preflight.status_code, preflight.data) == (204, b"")
    assert preflight.headers["Access-Control-Allow-Origin"] == answer.headers["Access-Control-Allow-Origin"]
    assert_problem(answer, 404)


def test_swagger_comes_from_here_under_a_strict_policy(http: FlaskClient) -> None:
    """No other host is asked for anything, and no script runs but ours."""
    page = http.get("/swagger/")
    policy = page.headers["Content-Security-Policy"]

    assert page.status_code == 200
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page.text)
    assert policy.partition("script-src ")[2].partition(";")[0] == "'self'"
    assert "<script>" not in page.text
    for file in re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text):
        assert http.get(file).status_code == 200, file

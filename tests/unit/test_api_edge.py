"""What can be asked of the API without a database: shapes of refusals, headers, documents."""

import re
from typing import Any

import pytest
from api_support import assert_problem, sample_path
from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from api import openapi
from api.errors import KINDS

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

    assert answer.status_code == 200
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert set(asked.split(",")) <= set(allowed)
    assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    """What `/openapi.json` serves."""
    body = app.test_client().get("/openapi.json").get_json()
    assert isinstance(body, dict)
    return body


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_route_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    """Each with an id of its own, for clients that are generated."""
    ids = [operation["operationId"] for operation in operations(document)]
    rules = [rule for rule in app.url_map.iter_rules() if not str(rule).startswith(("/openapi.json", "/swagger"))]

    assert len(set(ids)) == len(ids)
    assert {re.sub(r"<(\w+)>", r"{\1}", str(rule)) for rule in rules} == set(document["paths"])


def test_every_operation_tells_its_refusals(document: dict[str, Any]) -> None:
    """Every code that the API can answer is in the document."""
    assert set(KINDS) == set(document["components"]["responses"])
    for operation in operations(document):
        assert {"500", "503"} <= set(operation["responses"]), operation["operationId"]


def test_bounds_are_in_the_document(document: dict[str, Any]) -> None:
    task = document["components"]["schemas"]["TaskCreate"]

    assert task["additionalProperties"] is False
    assert (task["properties"]["priority"]["minimum"], task["properties"]["priority"]["maximum"]) == (1, 5)
    assert task["properties"]["title"]["maxLength"] == 200
    assert task["properties"]["due_at"]["type"] == ["string", "null"]
    limit = next(each for each in document["paths"]["/api/v1/tasks"]["get"]["parameters"] if each["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 100)


def test_every_example_is_taken_by_its_schema(app: Flask, document: dict[str, Any]) -> None:
    """They work when pasted: every body has one, which the code takes and the document allows."""
    components = {"components": document["components"]}
    for rule, method, contract, name in openapi._routes(app):
        if contract.body:
            path = re.sub(r"<(\w+)>", r"{\1}", str(rule))
            content = document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]
            assert contract.body().load(content["example"]), name
            assert list(OAS31Validator({**content["schema"], **components}).iter_errors(content["example"])) == [], name


def test_every_group_of_routes_says_what_it_is_about(document: dict[str, Any]) -> None:
    """In a sentence, and the older paths come last."""
    described = {tag["name"]: tag["description"] for tag in document["tags"]}

    assert set(described) == {operation["tags"][0] for operation in operations(document)}
    assert all(described.values())
    assert (document["tags"][0]["name"], document["tags"][-1]["name"]) == ("auth", "aliases")


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

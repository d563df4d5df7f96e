"""The OpenAPI document against the routes: what each takes and answers is told, and nothing else is."""

import inspect
import re
from typing import Any

import pytest
from flask import Flask
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from raised import problems_of
from werkzeug.routing import Rule

from api import openapi
from api.endpoint import Endpoint, Kind
from api.errors import KINDS


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


def routes(app: Flask) -> dict[tuple[str, str], tuple[Rule, Endpoint, Any]]:
    """Every route by method and path, with its contract and the view that the contract is around."""
    found = {}
    for rule in app.url_map.iter_rules():
        path, view = re.sub(r"<(\w+)>", r"{\1}", str(rule)), app.view_functions[rule.endpoint]
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if not path.startswith(("/openapi.json", "/swagger")):
                found[method, path] = (rule, view.contract, inspect.unwrap(view))
    return found


def documented(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Every operation by method and path."""
    paths = document["paths"].items()
    return {(method.upper(), path): operation for path, of_path in paths for method, operation in of_path.items()}


def parameters(document: dict[str, Any], operation: dict[str, Any]) -> set[tuple[str, str]]:
    """Where each parameter stands, and its name: `("query", "limit")`."""
    shared = document["components"]["parameters"]
    given = [shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in operation["parameters"]]
    return {(each["in"], each["name"]) for each in given}


def test_routes_and_operations_are_the_same(app: Flask, document: dict[str, Any]) -> None:
    """Both ways, methods and all; each operation with an id of its own, for clients that are generated."""
    ids = [operation["operationId"] for operation in operations(document)]

    assert set(routes(app)) == set(documented(document))
    assert len(set(ids)) == len(ids)


def test_every_parameter_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    """Those of the path and the query string, and no others; headers as far as they decide about a write."""
    for name, operation in documented(document).items():
        rule, contract, _ = routes(app)[name]
        found = parameters(document, {"parameters": [], **operation})
        query = contract.query().fields if contract.query else ()

        assert {each for place, each in found if place == "path"} == set(rule.arguments), name
        assert {each for place, each in found if place == "query"} == set(query), name
        writes = contract.kind is Kind.WRITE and (contract.conditional or contract.lenient)
        assert (("header", "If-Match") in found) == writes, name
        assert (("header", "Idempotency-Key") in found) == contract.idempotent, name


def test_every_body_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    """And no operation has one that its route does not read."""
    for name, operation in documented(document).items():
        _, contract, _ = routes(app)[name]
        assert ("requestBody" in operation) == bool(contract.body or contract.file), name


def unreachable(method: str, path: str, contract: Endpoint) -> set[str]:
    """Problems that a route's functions can raise for others, and why not for this one."""
    found = set()
    if path in ("/api/v1/me", "/update_user", "/api/v1/update_user") or (method == "POST" and "{" not in path):
        found.add("not_found")  # The caller acts on themselves, and a new item has no earlier form to be looked for.
    if path.endswith("/changes"):
        found.add("not_found")  # What is not seen any more is not told of.
    if contract.lenient:
        found.add("version_required")
    if not contract.idempotent:
        found |= {"request_in_flight", "idempotency_key_reused"}  # A key is refused beforehand.
    if not contract.query or "cursor" not in contract.query().fields:
        found.add("invalid_cursor")
    if path.endswith("/changes"):
        found.add("not_found")  # What the caller may not see is left out.
    if path.endswith("/tasks/bulk"):
        found.add("duplicate")  # Told of the one operation, in its result.
    if path.endswith(("/{project_id}/tasks", "/tasks/search")):
        found.add("forbidden")  # Of somebody else's list, and here none can be asked for.
    return found


def test_every_problem_that_a_route_can_raise_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    """Found in the code of its view and of whatever that calls."""
    for (method, path), (_, contract, view) in routes(app).items():
        operation = documented(document)[method, path]
        told = set(re.findall(r"\(`(\w+)`\)", " ".join(described(document, operation))))
        can_raise = problems_of(view) - unreachable(method, path, contract)
        assert can_raise <= told, f"{method} {path} does not tell of {can_raise - told}"


def described(document: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    """The descriptions of its answers."""
    shared = document["components"]["responses"]
    answers = operation["responses"].values()
    return [(shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each)["description"] for each in answers]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/api/v1/auth/register", "email_taken"),
        ("POST", "/api/v1/auth/login", "bad_credentials"),
        ("PATCH", "/api/v1/tasks/{task_id}", "stale_version"),
        ("PUT", "/tasks/{task_id}", "stale_version"),
        ("POST", "/api/v1/tasks", "project_archived"),
        ("PUT", "/api/v1/projects/{project_id}/members/{user_id}", "project_full"),
        ("POST", "/api/v1/simple-rest/tasks", "idempotency_key_reused"),
        ("DELETE", "/api/v1/simple-rest/users/{user_id}", "own_account"),
    ],
)
def test_problems_are_found_in_the_code(app: Flask, method: str, path: str, code: str) -> None:
    """However far from its view one is raised; without this the test above could find nothing wrong ever."""
    assert code in problems_of(routes(app)[method, path][2])


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

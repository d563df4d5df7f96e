"""What tests of the API share: its settings without a router, the one shape of a problem, people who call it."""

import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import requests
from flask import Flask
from werkzeug.exceptions import HTTPException

from api import create_app
from api.errors import MEDIA_TYPE
from api.openapi import codes_of
from api.paths import PATH_PATTERNS

T = TypeVar("T")

KEY = "kid-1:f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70"

ENVIRON = {
    # Nothing listens there, and nothing is asked of it.
    "MONGODB_URI": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100",
    "JWT_KEYS": KEY,
    "ARGON2_MEMORY_KIB": "64",
    "ARGON2_TIME": "1",
    "DEADLINE_ITEM_MS": "200",
    "DEADLINE_LIST_MS": "200",
    "DEADLINE_WRITE_MS": "300",
    "MAX_BODY_BYTES": "2048",
    "CORS_ORIGINS": "https://dash.example.org",
}


def assert_problem(answer: Any, status: int) -> None:
    """The one shape."""
    body = answer.json() if callable(answer.json) else answer.get_json(force=True)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= set(body)
    assert body["status"] == answer.status_code == status
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert body["type"] == f"urn:shardboard:problem:{body['code']}"


def sample_path(rule: str) -> str:
    """The path of a rule such as `/tasks/<task_id>`, with ids of the right form that nothing has."""

    def sample(match: re.Match[str]) -> str:
        pattern = PATH_PATTERNS.get(match[1], "")
        return next((text for text in ("0" * 24, "A" * 32) if re.fullmatch(pattern, text)), "x" * 32)

    return re.sub(r"<(\w+)>", sample, rule)


@cache
def application() -> Flask:
    """The application, for what it declares; nothing is asked of a server."""
    return create_app(ENVIRON)


def assert_documented(method: str, place: str, answer: requests.Response) -> None:
    """A route answers only what its entry in the OpenAPI document promises: these statuses, these codes of problems."""
    try:
        rule, _ = application().url_map.bind("").match(unquote(urlsplit(place).path), method, return_rule=True)
    except HTTPException:
        return
    contract = getattr(application().view_functions[rule.endpoint], "contract", None)
    if contract is None or answer.status_code in contract.answers:
        return
    assert answer.headers["Content-Type"] == MEDIA_TYPE, f"{method} {rule} does not promise {answer.status_code}"
    assert answer.json()["code"] in codes_of(rule, contract), f"{method} {rule} does not promise {answer.text}"


PASSWORD = "correct horse 7"


@dataclass(frozen=True)
class Caller:
    """Somebody who calls the API under `url`, with or without a token."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    username: str = ""
    refresh_token: str = ""

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **sent: Any) -> requests.Response:
        """One request under `/api/v1`, or outside of it where `path` begins with `//`."""
        place = path[1:] if path.startswith("//") else f"/api/v1{path}"
        merged = {**self.headers, **(headers or {})}
        answer = requests.request(method, self.url + place, headers=merged, timeout=40, **sent)
        assert_documented(method, place, answer)
        return answer

    def get(self, path: str, **sent: Any) -> requests.Response:
        return self.call("GET", path, **sent)

    def post(self, path: str, body: Any = None, **sent: Any) -> requests.Response:
        return self.call("POST", path, json=body, **sent)

    def patch(self, path: str, body: Any, match: str = "*", **sent: Any) -> requests.Response:
        return self.call("PATCH", path, {"If-Match": match, **sent.pop("headers", {})}, json=body, **sent)

    def put(self, path: str, body: Any, match: str = "*", **sent: Any) -> requests.Response:
        return self.call("PUT", path, {"If-Match": match, **sent.pop("headers", {})}, json=body, **sent)

    def delete(self, path: str, match: str = "*", **sent: Any) -> requests.Response:
        return self.call("DELETE", path, {"If-Match": match, **sent.pop("headers", {})}, **sent)

    def task(self, **fields: Any) -> dict[str, Any]:
        """A new task of theirs."""
        return ok(self.post("/tasks", {"title": "Write the report", **fields}), 201)


def ok(answer: requests.Response, status: int = 200) -> Any:
    """The body of an answer of that status."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def registration(**fields: Any) -> dict[str, Any]:
    """The body of a sign-up under a name that nobody has."""
    name = f"u{secrets.token_hex(8)}"
    return {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "name": "Ada", **fields}


def log_in_as(url: str, username: str, password: str = PASSWORD) -> Caller:
    """A new session."""
    tokens = ok(Caller(url).post("/auth/login", {"username": username, "password": password}))
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    me = ok(Caller(url, headers).get("/me"))
    return Caller(url, headers, me["id"], username, tokens["refresh_token"])


def sign_up(url: str, **fields: Any) -> Caller:
    """A new person, logged in."""
    body = registration(**fields)
    ok(Caller(url).post("/auth/register", body), 201)
    return log_in_as(url, body["username"], body["password"])


def at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """Every work in a thread of its own, started together."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        gate.wait(10)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def statuses(answers: Iterable[requests.Response]) -> Counter[int]:
    """How many answers there are of each status."""
    return Counter(answer.status_code for answer in answers)

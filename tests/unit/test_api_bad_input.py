"""Bad input of every kind to every route, made from the routes' own contracts.

The caller is an admin whose session nobody has to look up, and there is no database: what passes the checks meets 503,
so a 4xx is a refusal before anything was asked, let alone written. A new route is in the table by itself; one whose
good request cannot be made from its contract fails until `api_routes` has one.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from api_routes import ROUTES, examples, good_body, schema_fields
from api_support import ENVIRON, assert_problem, sample_path
from bad_values import BAD_OBJECT_IDS, BAD_PUBLIC_IDS, BAD_SESSION_IDS, bad_for_body, bad_for_query
from bson import ObjectId
from flask.testing import FlaskClient
from marshmallow import Schema, fields
from pymongo.errors import ServerSelectionTimeoutError

from api import create_app
from api.endpoint import Endpoint, Kind
from api.ids import OBJECT_ID_PATTERN, PUBLIC_ID_PATTERN
from api.paths import PATH_PATTERNS, SESSION_ID_PATTERN
from api.schemas.simple_rest import Conditions
from api.schemas.tasks import TaskCreate, TaskPatch
from api.services import EXTENSION
from api.standing import OwnCache

# Where two fields belong together.
GOOD_QUERIES = {"list_directory": (("q", "ad"),)}
# Nobody assigns what is not theirs to write, nor names what a driver would follow.
MASS_ASSIGNMENT = (
    *("role", "owner_id", "_id", "id", "version", "created_at", "updated_by", "password_hash", "token_version"),
    *(
        "$set",
        "$where",
        "$ne",
        "a.b",
        "title.x",
        "username.$ne",
        "__proto__",
        "constructor",
        "",
        "a/b~c",
        "ｒｏｌｅ",
        "x" * 300,
    ),
)
UNKNOWN_PARAMETERS = ("x", "$where", "a.b", "__proto__", "status[$ne]", "title__regex", "owner_id", "role__in", "")

BAD_IDS = {
    OBJECT_ID_PATTERN: BAD_OBJECT_IDS,
    PUBLIC_ID_PATTERN: BAD_PUBLIC_IDS,
    SESSION_ID_PATTERN: BAD_SESSION_IDS,
}

NOT_JSON = {
    "nothing": b"",
    "half": b'{"a":',
    "array": b"[]",
    "text": b'"x"',
    "null": b"null",
    "number": b"1",
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "1e999": b'{"a": 1e999}',
    "surrogate": b'{"a": "\\ud800"}',
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "control character": b'{"a": "\x00"}',
    "deep arrays": b'{"a":' + b"[" * 19_000,
    "single quotes": b"{'a': 1}",
    "a name twice": b'{"role": "member", "role": "admin"}',
    "a name twice, one escaped": b'{"role": "member", "\\u0072ole": "admin"}',
    "a name twice within": b'{"a": [{"b": {"c": 1, "c": 1}}]}',
    "deep and whole": b'{"a":' + b"[" * 1_015 + b"]" * 1_015 + b"}",
    "form": b"a=b",
}
# A CSV file with the columns of tasks, and how it is refused.
BAD_FILES = {
    "nothing": (b"", 400),
    "UTF-16": ("title\nx\n".encode("utf-16"), 400),
    "not UTF-8": (b"title\n\xe4\n", 400),
    "NUL": (b"title\na\0\n", 400),
    "an open quote": (b'title\nx\n"a\n', 400),
    "a quote that ends too early": (b'title\n"a"b\n', 400),
    "no rows": (b"title\n", 422),
    "empty rows": (b"title\n\n,\n", 422),
    "no names of columns": (b"Buy milk\nSell milk\n", 422),
    "an unknown column": (b"title,role\na,admin\n", 422),
    "a column twice": (b"title,Title\na,b\n", 422),
    "no title": (b"status\ndone\n", 422),
}
WRONG_MEDIA = (
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/json",
    "*/*",
)
CODES = {
    400: {"bad_json", "bad_csv", "bad_request"},
    404: {"not_found"},
    413: {"too_large"},
    415: {"unsupported_media_type"},
    422: {"invalid"},
    428: {"version_required"},
}
# 409: an admin who would delete themselves.
PASSED = (200, 204, 409, 503)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")


@dataclass(frozen=True)
class Call:
    """A request; `query` as pairs or as it stands, `body` as it is sent."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] | str = ()
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, http: FlaskClient) -> Any:
        query = self.query if isinstance(self.query, str) else urlencode(self.query)
        sent: dict[str, Any] = {"query_string": query, "headers": self.headers}
        if self.body is not None:
            sent["data"] = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        return http.open(self.path, method=self.method, **sent)


@dataclass(frozen=True)
class Fault:
    """A call with one thing wrong, and the answer it must get: a status and the field that it names."""

    what: str
    call: Call
    status: int = 422
    pointer: str | None = None
    says: str = ""


class NoDatabase:
    """A connection to nothing, which says so at once."""

    def in_transaction(self, work: Callable[[], Any]) -> Any:
        return work()

    def __getattr__(self, name: str) -> Any:
        raise ServerSelectionTimeoutError(name)


@pytest.fixture(scope="module")
def http() -> FlaskClient:
    """The API without a database, for a caller whose session stands and who is an admin."""
    app = create_app({**ENVIRON, "MAX_BODY_BYTES": "20000", "MAX_IMPORT_BYTES": "20000"})
    standing = OwnCache(lambda session_id, user_id: "admin")
    here = replace(app.extensions[EXTENSION], standing=standing, connection=NoDatabase())
    app.extensions[EXTENSION] = here
    client = app.test_client()
    token = here.token_keys.issue(ObjectId(), "s" * 32, "admin")
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def good_call(name: str) -> Call:
    """A request that passes every check that needs no database."""
    path, method, contract = ROUTES[name]
    headers = {"If-Match": "*"} if contract.conditional and contract.kind is Kind.WRITE else {}
    body = None
    if contract.body is not None:
        headers["Content-Type"] = "application/json"
        body = good_body(name)
    elif contract.file is not None:
        headers["Content-Type"] = contract.file.media
        body = contract.file.example.encode()
    query = GOOD_QUERIES.get(name, tuple(examples(contract.query).items()))
    return Call(method, sample_path(path), query, body, headers)


def faults(name: str) -> Iterator[Fault]:
    """Everything that can be wrong with a request to a route."""
    contract, good = ROUTES[name][2], good_call(name)
    yield from query_faults(contract, good)
    yield from path_faults(name, good)
    yield from header_faults(contract, good)
    if contract.body is not None:
        yield from form_faults(good)
        yield from body_faults(contract.body, good, ())
        yield from bulk_faults(name, good)
    if contract.file is not None:
        yield from media_faults(good)
        for what, (raw, status) in BAD_FILES.items():
            yield Fault(what, replace(good, body=raw), status)


def query_faults(contract: Endpoint, good: Call) -> Iterator[Fault]:
    """Unknown, repeated and wrong parameters, and bytes that are no text."""
    known, given = schema_fields(contract.query), dict(good.query)
    for name in UNKNOWN_PARAMETERS:
        if name not in known:
            yield Fault(f"parameter {name}", replace(good, query=(*good.query, (name, "1"))), 422, pointer_to(name))
    for name, each in known.items():
        if type(each) is not fields.List:
            twice = ((name, "1"), (name, "1"))
            yield Fault(
                f"{name} twice", replace(good, query=(*good.query, *twice)), 422, pointer_to(name), "more than once"
            )
        # A filter in JSON is refused by the names within it.
        pointer = None if isinstance(each, Conditions) else pointer_to(name)
        for value in bad_for_query(each):
            query = tuple({**given, name: value}.items())
            yield Fault(f"{name}={value!r}", replace(good, query=query), 422, pointer)
    for raw in ("x=%ff", "%c3%28=1", "x=%ed%a0%80"):
        yield Fault(f"query {raw}", replace(good, query=raw), 400)


def path_faults(name: str, good: Call) -> Iterator[Fault]:
    """Ids that were never given out."""
    path = ROUTES[name][0]
    for argument, pattern in PATH_PATTERNS.items():
        if f"<{argument}>" in path:
            for bad in (*BAD_IDS[pattern], "%00", "%FF", "A" * 31 + "%0A"):
                broken = sample_path(path.replace(f"<{argument}>", bad))
                yield Fault(f"{argument} {bad!r}", replace(good, path=broken), 404)


def header_faults(contract: Endpoint, good: Call) -> Iterator[Fault]:
    if "If-Match" in good.headers:
        without = {name: value for name, value in good.headers.items() if name != "If-Match"}
        yield Fault("no If-Match", replace(good, headers=without), 428)
    bad: list[tuple[str, str]] = [
        ("X-Consistency-Token", text) for text in ("x", "", "A" * 80, "A" * 5000, "é", '{"$ne":1}')
    ]
    if contract.idempotent:
        bad += [("Idempotency-Key", text) for text in ("", "a b", "x" * 201, "é", "a\tb")]
    for name, text in bad:
        yield Fault(f"{name}: {text[:20]!r}", replace(good, headers={**good.headers, name: text}), 422, f"/{name}")


def form_faults(good: Call) -> Iterator[Fault]:
    """Bodies that are none, too large or of another type."""
    for what, raw in NOT_JSON.items():
        yield Fault(what, replace(good, body=raw), 400)
    yield from media_faults(good)


def media_faults(good: Call) -> Iterator[Fault]:
    for media in WRONG_MEDIA:
        yield Fault(f"media {media}", replace(good, headers={**good.headers, "Content-Type": media}), 415)
    yield Fault("oversized", replace(good, body=b" " * 20_000 + b"{}"), 413)


def body_faults(schema: type[Schema], good: Call, place: tuple[Any, ...]) -> Iterator[Fault]:
    """Fields that are unknown, missing or hold what they cannot, in the part of the body at `place`."""
    known = schema_fields(schema)
    for name in MASS_ASSIGNMENT:
        if name not in schema().fields:
            yield changed(good, place, {name: 1}, name)
    for name, each in known.items():
        if each.required:
            yield changed(good, place, {}, name, without=name)
        for value in bad_for_body(each):
            # An emptied field of a form means its default.
            if value is not None or not hasattr(schema, "leave_out"):
                yield changed(good, place, {name: value}, name)
        if isinstance(each, fields.Nested) and name in at(good.body, place):
            yield from body_faults(type(each.schema), good, (*place, name))
        elif isinstance(each, fields.List):
            yield from inner_faults(each.inner, good, place, name)


def inner_faults(inner: fields.Field, good: Call, place: tuple[Any, ...], name: str) -> Iterator[Fault]:
    for value in bad_for_body(inner):
        yield changed(good, place, {name: [value]}, name)


def bulk_faults(name: str, good: Call) -> Iterator[Fault]:
    """Within the operations of a bulk write, all or none of which are wanted."""
    if name != "bulk_tasks":
        return
    update = {"op": "update", "id": "A" * 32, "version": 1, "body": {}}
    for schema, operation in ((TaskCreate, good.body["operations"][0]), (TaskPatch, update)):
        call = replace(good, body={"operations": [operation], "atomic": True})
        yield from body_faults(schema, call, ("operations", 0, "body"))
        for bad in ({"op": "drop"}, {"op": {"$ne": 1}}, {"body": None}, {"x": 1}, {"$set": {}}, {"body": [1]}):
            yield changed(call, ("operations", 0), bad, next(iter(bad)))
    for bad in ({"version": "1"}, {"version": {"$gt": 0}}, {"version": True}, {"id": {"$ne": 1}}, {"id": 5}):
        call = replace(good, body={"operations": [update], "atomic": True})
        yield changed(call, ("operations", 0), bad, next(iter(bad)))


def changed(good: Call, place: tuple[Any, ...], fields: Mapping[str, Any], named: str, without: str = "") -> Fault:
    """`good` with `fields` at `place` of its body, and `without` taken out."""
    body = deepcopy(good.body)
    part = at(body, place)
    part.pop(without, None)
    part.update(fields)
    what = f"without {without}" if without else repr(fields)[:80]
    # Python's own JSON writes what orjson refuses to: integers of more than 64 bits.
    return Fault(what, replace(good, body=as_json(body)), 422, "".join(pointer_to(step) for step in (*place, named)))


def at(body: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        body = body[step]
    return body


def as_json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def pointer_to(name: Any) -> str:
    """As a refusal names it: at most 100 characters of it."""
    return "/" + str(name)[:100].replace("~", "~0").replace("/", "~1")


def problem_with(fault: Fault, http: FlaskClient) -> str | None:
    """What is wrong with the answer to `fault`; None when it is the right one."""
    answer = fault.call.send(http)
    if answer.status_code != fault.status:
        return f"{fault.what}: {answer.status_code} instead of {fault.status}: {answer.text[:200]}"
    assert_problem(answer, fault.status)
    body = answer.get_json(force=True)
    assert body["code"] in CODES[fault.status], fault.what
    named = [error["pointer"] for error in body.get("errors", [])]
    if fault.pointer is not None and not any(pointer.startswith(fault.pointer) for pointer in named):
        return f"{fault.what}: names {named} instead of {fault.pointer}"
    if fault.says not in body["detail"]:
        return f"{fault.what}: says {body['detail']!r}"
    return None


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_a_good_request_passes_the_checks(http: FlaskClient, name: str) -> None:
    """So each fault of the next test is what is refused there. HEAD answers as GET does, without a body."""
    good = good_call(name)
    answer = good.send(http)

    assert answer.status_code in PASSED, answer.text
    if good.method == "GET":
        head = replace(good, method="HEAD").send(http)
        assert (head.status_code, head.data) == (answer.status_code, b"")


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_every_fault_is_refused_by_name_and_before_the_database_is_asked(http: FlaskClient, name: str) -> None:
    problems = [found for fault in faults(name) if (found := problem_with(fault, http))]

    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", sorted({path for path, _, _ in ROUTES.values()}))
def test_a_wrong_method_is_405_and_told_what_is_right(http: FlaskClient, path: str) -> None:
    """Also where an id could stand: `/tasks/search` is no task."""
    allowed = {method for other, method, _ in ROUTES.values() if other == path}
    for method in set(METHODS) - allowed:
        answer = http.open(sample_path(path), method=method)
        assert_problem(answer, 405)
        assert allowed <= set(answer.headers["Allow"].split(", ")) <= allowed | {"HEAD", "OPTIONS"}


@pytest.mark.parametrize("wish", ["", "x", "consistency=strong", '{"$ne":1}', "partial=;;,,", "a" * 5000, "é"])
def test_a_wish_that_nobody_knows_is_passed_over(http: FlaskClient, wish: str) -> None:
    """As RFC 7240 asks."""
    assert http.get("/api/v1/auth/verify", headers={"Prefer": wish}).status_code == 200

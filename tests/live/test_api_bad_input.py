"""Bad input that only the data tell from good: cursors, versions, ids of others, bodies without length.

The rest is in the table of the same name among the unit tests. Each is asked of every route that takes such a thing.
"""

import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from api_routes import ROUTES, good_body
from api_support import Caller, assert_problem, ok, sign_up
from support import Login

from api.endpoint import Kind
from api.paths import PATH_PATTERNS
from cluster.run.services import Services

PAGED = sorted(name for name, (_, _, it) in ROUTES.items() if it.query and "cursor" in it.query().fields)
CONDITIONAL = sorted(name for name, (_, _, it) in ROUTES.items() if it.conditional and it.kind is Kind.WRITE)
WITH_IDS = sorted(name for name, (path, _, _) in ROUTES.items() if "<" in path)


@dataclass(frozen=True)
class World:
    """An admin, for whom every route is open, and one of each thing, which are theirs."""

    boss: Caller
    ids: dict[str, str]

    def path(self, name: str, **ids: str) -> str:
        """The path of a route, with the ids of what there is."""
        path = ROUTES[name][0]
        for argument, value in {**self.ids, **ids}.items():
            path = path.replace(f"<{argument}>", value)
        return path


@pytest.fixture(scope="module")
def world(api: Services, admin: Login) -> World:
    boss = Caller(api.url, admin.headers)
    task, project = boss.task(), ok(boss.post("/projects", {"name": "Garden"}), 201)
    event = ok(boss.post("/events", {"starts_at": "2030-12-31T20:00:00Z"}), 201)
    hourly = {"kind": "interval", "every_s": 3600}
    reminder = ok(boss.post("/reminders", {"task_id": task["id"], "schedule": hourly}), 201)
    ids = {"task_id": task["id"], "project_id": project["id"], "event_id": event["id"], "reminder_id": reminder["id"]}
    return World(boss, {**ids, "user_id": sign_up(api.url).id, "import_id": "0" * 24})


def call(world: World, name: str, path: str, headers: dict[str, str] | None = None, **sent: Any) -> Any:
    method, contract = ROUTES[name][1:]
    if contract.body is not None:
        sent["json"] = good_body(name)
    return world.boss.call(method, "/" + path, headers, **sent)


@pytest.mark.parametrize("name", PAGED)
def test_a_cursor_that_this_list_never_gave_is_refused(world: World, name: str) -> None:
    """Made up, cut, changed, or of another list."""
    foreign = next_cursor(world)
    needed = {"q": "a"} if "directory" in ROUTES[name][0] else {}
    for cursor in (
        "x",
        "$ne",
        "A" * 86,
        "A" * 1000,
        foreign[:-1],
        foreign + "A",
        foreign[::-1],
        foreign + "=",
        foreign,
    ):
        answer = call(world, name, world.path(name), params={**needed, "cursor": cursor})
        assert_problem(answer, 422)
        assert answer.json()["code"] == "invalid_cursor", (cursor, answer.text)


def next_cursor(world: World) -> str:
    """One of a list that nobody else asks for: events from a day on."""
    for _ in range(2):
        ok(world.boss.post("/events", {"starts_at": "2031-01-01T00:00:00Z"}), 201)
    query = {"limit": "1", "starts_at__gt": "2030-12-31T23:59:58Z"}
    return str(ok(world.boss.get("/events", params=query))["pagination"]["next_cursor"])


@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_version_that_the_item_does_not_have_is_412(world: World, name: str) -> None:
    """Whatever the header holds."""
    for match in ('"999"', "x", '""', '"1', "'1'", '"99999999999999999999999"', '{"$ne":1}', '"-1"', "W/", "é"):
        answer = call(world, name, world.path(name), {"If-Match": match})
        assert answer.status_code in (409, 412, 422), (match, answer.status_code, answer.text)
        assert_problem(answer, answer.status_code)


@pytest.mark.parametrize("name", WITH_IDS)
def test_an_id_of_another_kind_of_thing_does_not_exist(world: World, name: str) -> None:
    """A task's id is no event's, and so on; neither is one that was never given out."""
    path = ROUTES[name][0]
    for argument in (each for each in world.ids if f"<{each}>" in path):
        pattern = PATH_PATTERNS.get(argument)
        others = [
            value for other, value in world.ids.items() if other != argument and PATH_PATTERNS.get(other) == pattern
        ]
        for value in (*others, "A" * 32 if pattern and "32" in pattern else "f" * 24):
            answer = call(world, name, world.path(name, **{argument: value}), {"If-Match": "*"})
            assert_problem(answer, 404)


@pytest.mark.parametrize("name", sorted(name for name, (_, _, it) in ROUTES.items() if it.body is not None))
def test_a_body_without_a_length_is_limited_too(api: Services, world: World, name: str) -> None:
    """Sent in chunks, of which there are too many: 413, and the connection is given up."""
    host = urlsplit(api.url)
    method = ROUTES[name][1]
    head = f"{method} {world.path(name)} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIf-Match: *\r\n"
    head += f"Authorization: {world.boss.headers['Authorization']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection((host.hostname, host.port), 20) as connection:
        connection.sendall(head.encode())
        answer = b""
        try:
            for _ in range(17):
                connection.sendall(chunk)
            connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]


def test_what_was_refused_has_changed_nothing(world: World) -> None:
    """Every item is at its first version. Runs last."""
    for kind in ("task", "project", "event", "reminder"):
        assert ok(world.boss.get(f"/{kind}s/{world.ids[f'{kind}_id']}"))["version"] == 1

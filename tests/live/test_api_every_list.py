"""What every list can be asked besides its own filters: offsets, counts, some fields, ids. On a real cluster."""

import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from api_support import Caller, assert_problem, ok, registration, sign_up
from support import Login

from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

EVERY_MINUTE = {"kind": "interval", "every_s": 60}


@dataclass(frozen=True)
class World:
    """Somebody with five of everything, somebody without, and an admin; `start` begins the names of five people."""

    ada: Caller
    eve: Caller
    boss: Caller
    project_id: str
    start: str


@dataclass(frozen=True)
class List:
    """A list of five; `field` is one of its fields. Where `has_ids`, they can be asked for."""

    path: str
    plural: str
    field: str
    has_ids: bool = True
    by: str = "ada"

    def asked(self, world: World) -> tuple[Caller, str, dict[str, str]]:
        """Who asks for it, where, and for what."""
        person: Caller = getattr(world, self.by)
        path, _, query = self.path.format(project_id=world.project_id, start=world.start).partition("?")
        return person, path, dict([query.split("=", 1)] if query else [])


LISTS = {
    "tasks": List("/tasks", "tasks", "title"),
    "events": List("/events", "events", "venue"),
    "reminders": List("/reminders", "reminders", "state"),
    "projects": List("/projects", "projects", "name"),
    "users": List("/users?role=member", "users", "email", by="boss"),
    "directory": List("/users/directory?q={start}", "people", "username"),
    "project tasks": List("/projects/{project_id}/tasks", "tasks", "title", has_ids=False),
    "imports": List("/imports", "imports", "state", has_ids=False),
    "members": List("/projects/{project_id}/members", "members", "role", has_ids=False),
}


@pytest.fixture(scope="module")
def world(api: Services, admin: Login) -> World:
    start = "q" + secrets.token_hex(4)
    people = [sign_up(api.url, username=f"{start}{n}", email=registration()["email"]) for n in range(5)]
    ada = people[0]
    projects = [ok(ada.post("/projects", {"name": f"p{n}"}), 201)["id"] for n in range(5)]
    for n in range(1, 5):
        ok(ada.call("PUT", f"/projects/{projects[0]}/members/{people[n].id}"), 204)
    for n in range(5):
        task = ada.task(title=f"t{n}", project_id=projects[0])
        ok(ada.post("/events", {"starts_at": f"2030-01-0{n + 1}T00:00:00Z"}), 201)
        ok(ada.post("/reminders", {"task_id": task["id"], "schedule": EVERY_MINUTE}), 201)
        wait_until("room for an import", partial(_import_one, ada), 30)
    return World(ada, sign_up(api.url), Caller(api.url, admin.headers), projects[0], start)


def _import_one(who: Caller) -> None:
    """One more import of theirs; there may be few at once."""
    made = who.call("POST", "/imports", {"Content-Type": "text/csv"}, data="title,priority\nno task,9\n")
    if made.status_code == 429:
        raise NotReady("there are too many")
    ok(made, 202)


def ids(body: Any) -> list[str]:
    return [each["id"] for each in body["data"]]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_paged_by_offset_and_counted(world: World, name: str) -> None:
    """In the order that cursors give; with the headers that data providers read."""
    who, path, query = LISTS[name].asked(world)
    first = ok(who.get(path, params={**query, "limit": 3}))
    cursor = {"cursor": first["pagination"]["next_cursor"]}
    whole = ids(first) + ids(ok(who.get(path, params={**query, "limit": 3, **cursor})))
    assert "total" not in first["pagination"]

    page = who.get(path, params={**query, "offset": 1, "limit": 3})

    assert ids(ok(page)) == whole[1:4]
    total = int(page.headers["X-Total-Count"])
    assert total == 5 if name != "users" else total >= 5
    assert page.headers["Content-Range"] == f"{LISTS[name].plural} 1-3/{total}"
    counted = ok(who.get(path, params={**query, "count": "exact", "limit": 1}))["pagination"]
    assert (counted["total"], counted["total_kind"]) == (total, "exact")
    assert_problem(who.get(path, params={**query, "offset": 1, **cursor}), 422)
    assert_problem(who.get(path, params={**query, "offset": 10_001}), 422)


@pytest.mark.parametrize("name", LISTS)
def test_only_the_wanted_fields_are_shown(world: World, name: str) -> None:
    who, path, query = LISTS[name].asked(world)
    found = ok(who.get(path, params={**query, "fields": LISTS[name].field, "limit": 1}))["data"]
    assert [set(each) for each in found] == [{"id", LISTS[name].field}]
    assert_problem(who.get(path, params={**query, "fields": "password_hash"}), 422)


@pytest.mark.parametrize("name", [name for name, each in LISTS.items() if each.has_ids])
def test_many_are_fetched_by_their_ids(world: World, name: str) -> None:
    """In the order asked for, each once; what is gone is left out, and 101 are too many."""
    who, path, query = LISTS[name].asked(world)
    whole = ids(ok(who.get(path, params=query)))[:5]
    nobody = "A" * 32 if len(whole[0]) == 32 else "a" * 24
    wanted = [whole[3], nobody, whole[0], whole[3]]

    found = ok(who.get(path, params={"id": wanted, "fields": LISTS[name].field}))

    assert ids(found) == [whole[3], whole[0]]
    assert found["pagination"] == {"limit": 4, "next_cursor": None, "has_more": False}
    for more in ({"id": [nobody] * 101}, {"id": whole[0], "count": "exact"}, {"id": "x"}):
        assert_problem(who.get(path, params=more), 422)
    if name not in ("users", "directory"):
        assert ids(ok(world.eve.get(path, params={"id": wanted}))) == []


def test_projects_are_filtered_by_status_and_a_part_of_the_name(world: World) -> None:
    """A text is looked for among those one takes part in; in everybody's it is not."""
    ok(world.ada.patch(f"/projects/{world.project_id}", {"status": "archived", "name": "The (old) garden"}))
    try:
        for query in ({"status__neq": "active"}, {"status__in": "archived"}, {"name__like": "(OLD)"}):
            assert ids(ok(world.ada.get("/projects", params=query))) == [world.project_id], query
        assert len(ids(ok(world.ada.get("/projects", params={"status__in": "active,archived"})))) == 5
        assert ids(ok(world.ada.get("/projects", params={"name__like": "(OLD)", "status": "active"}))) == []
        assert_problem(world.boss.get("/projects", params={"name__like": "x", "scope": "all"}), 422)
    finally:
        ok(world.ada.patch(f"/projects/{world.project_id}", {"status": "active", "name": "p0"}))


def test_users_are_filtered_by_role_or_status(world: World) -> None:
    """With every operator; both at once no index serves."""
    admins = ok(world.boss.get("/users", params={"role__neq": "member", "limit": 100}))["data"]
    assert {each["role"] for each in admins} == {"admin"}
    params = {"status__in": "disabled,deleting", "count": "exact"}
    assert {each["status"] for each in ok(world.boss.get("/users", params=params))["data"]} <= {"disabled", "deleting"}
    assert_problem(world.boss.get("/users", params={"role": "admin", "status__neq": "active"}), 422)


def test_people_are_found_by_the_beginning_of_their_display_name(api: Services, world: World) -> None:
    """In any case, in the order of names, under a new name at once; without those who are disabled."""
    start = "Ré" + secrets.token_hex(4)
    people = [sign_up(api.url, name=f" {start} {n}") for n in range(4)]
    ok(world.boss.patch(f"/users/{people[3].id}", {"status": "disabled"}))

    by_name = {"q": start.upper(), "by": "name"}
    page = ok(world.ada.get("/users/directory", params={**by_name, "limit": 2, "count": "exact"}))
    cursor = {"cursor": page["pagination"]["next_cursor"]}
    rest = ok(world.ada.get("/users/directory", params={**by_name, **cursor}))
    assert ids(page) + ids(rest) == [who.id for who in people[:3]]
    assert page["pagination"]["total"] == 3
    down = ok(world.ada.get("/users/directory", params={**by_name, "sort": "-name"}))
    assert ids(down) == [who.id for who in people[2::-1]]

    ok(people[0].patch("/me", {"name": f"{start} 9"}))
    assert ids(ok(world.ada.get("/users/directory", params=by_name))) == [people[n].id for n in (1, 2, 0)]
    renamed = "z" + secrets.token_hex(4)
    ok(people[0].patch("/me", {"username": renamed.upper()}))
    assert ids(ok(world.ada.get("/users/directory", params={"q": renamed}))) == [people[0].id]
    by_id = ok(world.ada.get("/users/directory", params={"id": [people[3].id]}))["data"]
    assert [each["name"] for each in by_id] == [f" {start} 3"]


@pytest.mark.parametrize(
    "query",
    [
        {"q": "a", "by": "email"},
        {"q": "a", "by": "name", "sort": "username"},
        {"q": "a", "sort": "name"},
        {"q": "a", "id": "a" * 24},
    ],
)
def test_the_directory_is_asked_for_one_name_or_for_ids(world: World, query: dict[str, str]) -> None:
    assert_problem(world.ada.get("/users/directory", params=query), 422)

"""Projects, the people in them and their tasks. On a real cluster, through a real server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from api_support import KEY, Caller, assert_problem, at_once, ok, sign_up, statuses
from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import OperationFailure
from support import Login

from api import create_app
from api.services import services
from api.store import audit
from api.worker import kinds
from cluster.local import LocalCluster
from cluster.roles import WORKER
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

Db = Database[dict[str, Any]]
DONE_S = 20


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    """The owner of most projects here."""
    return sign_up(api.url)


@pytest.fixture(scope="module")
def bob(api: Services) -> Caller:
    """Their member."""
    return sign_up(api.url)


@pytest.fixture(scope="module")
def eve(api: Services) -> Caller:
    """Somebody in none of them."""
    return sign_up(api.url)


@pytest.fixture
def boss(api: Services, admin: Login) -> Caller:
    """The first administrator."""
    return Caller(api.url, admin.headers)


def make(owner: Caller, *members: Caller, **fields: Any) -> str:
    """The path of a new project with those members."""
    path = f"/projects/{ok(owner.post('/projects', {'name': 'Garden', **fields}), 201)['id']}"
    for member in members:
        ok(owner.call("PUT", f"{path}/members/{member.id}"), 204)
    return path


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


def test_a_project_is_made_read_changed_and_deleted(ada: Caller) -> None:
    made = ada.post("/projects", {"name": "Garden"})
    project = ok(made, 201)
    path = f"/projects/{project['id']}"
    assert (made.headers["Location"], made.headers["ETag"]) == (f"/api/v1{path}", '"1"')
    assert (project["status"], project["owner_id"], project["members"]) == ("active", ada.id, 0)
    assert ok(ada.get(path)) == project
    assert ada.get(path, headers={"If-None-Match": '"1"'}).status_code == 304

    assert ok(ada.patch(path, {"description": "$name"}, match='"1"'))["description"] == "$name"
    assert_problem(ada.patch(path, {"name": "x"}, match='"1"'), 412)
    assert_problem(ada.call("DELETE", path), 428)
    assert ok(ada.put(path, {"name": "Yard"}, match='"2"'))["description"] == ""
    ok(ada.delete(path, match='"3"'), 204)
    assert_problem(ada.get(path), 404)
    assert_problem(ada.patch(path, {"status": "active"}), 404)


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("POST", "/projects", {}, "/name"),
        ("POST", "/projects", {"name": " "}, "/name"),
        ("POST", "/projects", {"name": {"$ne": ""}}, "/name"),
        ("POST", "/projects", {"name": "x", "owner_id": "0" * 24}, "/owner_id"),
        ("POST", "/projects", {"name": "x", "member_ids": ["0" * 24]}, "/member_ids"),
        ("POST", "/projects", {"name": "x", "status": "deleting"}, "/status"),
        ("PATCH", "/projects/{}", {"status": "deleting"}, "/status"),
        ("PATCH", "/projects/{}", {"version": 7}, "/version"),
        ("PUT", "/projects/{}", {"name": "x", "status": None}, "/status"),
        ("PUT", "/projects/{}/owner", {"user_id": "x"}, "/user_id"),
        ("PUT", "/projects/{}/owner", {"user_id": "0" * 24}, "/user_id"),
        ("POST", "/projects/{}/tasks", {"title": "x", "project_id": "0" * 24}, "/project_id"),
    ],
)
def test_bad_input_names_the_field(ada: Caller, method: str, path: str, body: Any, pointer: str) -> None:
    answer = ada.call(method, path.format(id_of(make(ada))), {"If-Match": "*"}, json=body)

    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("query", ["?tasks=keep", "?tasks=detach&tasks=delete", "?x=1"])
def test_a_deletion_takes_one_of_two_choices(ada: Caller, query: str) -> None:
    assert_problem(ada.delete(make(ada) + query), 422)


def test_members_see_and_only_the_owner_changes(ada: Caller, bob: Caller, eve: Caller, boss: Caller) -> None:
    """To people outside it does not exist; admins may all."""
    path = make(ada, bob)

    assert ok(bob.get(path))["members"] == 1
    for answer in (
        bob.patch(path, {"name": "x"}),
        bob.put(path, {"name": "x"}),
        bob.delete(path),
        bob.delete(path + "?tasks=delete"),
        bob.call("PUT", f"{path}/members/{eve.id}"),
        bob.put(f"{path}/owner", {"user_id": bob.id}),
    ):
        assert_problem(answer, 403)
    for answer in (
        eve.get(path),
        eve.patch(path, {"name": "x"}),
        eve.delete(path),
        eve.get(f"{path}/members"),
        eve.get(f"{path}/tasks"),
        eve.post(f"{path}/tasks", {"title": "x"}),
        eve.call("PUT", f"{path}/members/{eve.id}"),
        eve.call("DELETE", f"{path}/members/{eve.id}"),
        eve.call("DELETE", f"{path}/members/{bob.id}"),
    ):
        assert_problem(answer, 404)
    assert ok(boss.patch(path, {"name": "by an admin"}))["owner_id"] == ada.id


def test_members_come_and_go(ada: Caller, bob: Caller, eve: Caller) -> None:
    """Adding again changes nothing; who is nobody cannot be added."""
    path = make(ada, bob)

    added = ada.call("PUT", f"{path}/members/{eve.id}")
    assert ada.call("PUT", f"{path}/members/{eve.id}").headers["ETag"] == added.headers["ETag"] == '"3"'
    ok(ada.call("PUT", f"{path}/members/{ada.id}"), 204)
    assert_problem(ada.call("PUT", f"{path}/members/{ObjectId()}"), 404)
    assert_problem(ada.call("PUT", f"{path}/members/x"), 404)

    people = ok(bob.get(f"{path}/members"))["data"]
    assert {person["id"]: person["role"] for person in people} == {ada.id: "owner", bob.id: "member", eve.id: "member"}
    assert {person["username"] for person in people} == {ada.username, bob.username, eve.username}
    page = ok(bob.get(f"{path}/members", params={"limit": 2}))
    rest = ok(bob.get(f"{path}/members", params={"limit": 2, "cursor": page["pagination"]["next_cursor"]}))
    assert page["data"] + rest["data"] == people

    assert_problem(bob.call("DELETE", f"{path}/members/{eve.id}"), 403)
    ok(bob.call("DELETE", f"{path}/members/{bob.id}"), 204)
    assert_problem(bob.get(path), 404)
    assert_problem(ada.call("DELETE", f"{path}/members/{bob.id}"), 404)


def test_members_who_come_at_once_are_all_there(api: Services, ada: Caller) -> None:
    """No command undoes another."""
    path, people = make(ada), [sign_up(api.url) for _ in range(6)]

    answers = at_once([lambda who=who: ada.call("PUT", f"{path}/members/{who.id}") for who in people])

    assert statuses(answers) == {204: 6}
    assert ok(ada.get(path))["members"] == 6


def test_a_project_is_full_at_500_members(ada: Caller, bob: Caller, db: Db) -> None:
    path = make(ada)
    db["projects"].update_one(
        {"_id": ObjectId(id_of(path))}, {"$set": {"member_ids": [ObjectId() for _ in range(500)]}}
    )

    answer = ada.call("PUT", f"{path}/members/{bob.id}")

    assert_problem(answer, 409)
    assert answer.json()["code"] == "project_full"


def test_a_project_is_handed_over_to_a_member(ada: Caller, bob: Caller, eve: Caller) -> None:
    """Who stays one of them; so a person who owns projects can go."""
    path = make(ada, bob)
    assert_problem(ada.put(f"{path}/owner", {"user_id": eve.id}), 422)

    handed = ok(ada.put(f"{path}/owner", {"user_id": bob.id}))

    assert (handed["owner_id"], handed["members"]) == (bob.id, 1)
    assert_problem(ada.patch(path, {"name": "x"}), 403)
    assert ok(bob.patch(path, {"name": "Bob's"}))["name"] == "Bob's"


def pages(who: Caller, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    """Everything of a list, page by page."""
    cursor: str | None = None
    while True:
        page = ok(who.get(path, params={**query, "limit": 2, "cursor": cursor}))
        yield from page["data"]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            return


def test_lists_of_projects(api: Services, bob: Caller, boss: Caller) -> None:
    """The caller's, owned or not, by status, both ways."""
    who = sign_up(api.url)
    own = [id_of(make(who)) for _ in range(3)]
    joined = [id_of(make(bob, who)) for _ in range(2)]
    ok(who.patch(f"/projects/{own[0]}", {"status": "archived"}))

    assert [each["id"] for each in pages(who, "/projects")] == sorted((*own, *joined), reverse=True)
    assert [each["id"] for each in pages(who, "/projects", sort="id")] == sorted((*own, *joined))
    assert [each["id"] for each in pages(who, "/projects", scope="owned", sort="id")] == sorted(own)
    assert [each["id"] for each in pages(who, "/projects", status="archived")] == own[:1]
    assert_problem(who.get("/projects", params={"scope": "all"}), 403)
    assert {*own, *joined} <= {each["id"] for each in pages(boss, "/projects", scope="all", sort="-id")}
    for query in ({"sort": "name"}, {"status": "deleting"}, {"owner_id": who.id}, {"scope": "x"}, {"cursor": "x"}):
        assert_problem(who.get("/projects", params=query), 422)


def test_tasks_of_a_project(ada: Caller, bob: Caller, eve: Caller, boss: Caller) -> None:
    """Made and seen by everybody in it, each the owner of their own."""
    path = make(ada, bob)
    made = [ok(who.post(f"{path}/tasks", {"title": "Dig"}), 201) for who in (ada, bob, ada)]

    assert [task["owner_id"] for task in made] == [ada.id, bob.id, ada.id]
    assert {task["project_id"] for task in made} == {id_of(path)}
    for who in (ada, bob, boss):
        assert {task["id"] for task in pages(who, f"{path}/tasks")} == {task["id"] for task in made}
        by_scope = pages(who, "/tasks", scope="project", project_id=id_of(path), sort="-due_at")
        assert {task["id"] for task in by_scope} == {task["id"] for task in made}
    ok(bob.patch(f"/tasks/{made[0]['id']}", {"status": "done", "title": "Dug"}))
    assert [task["title"] for task in pages(ada, f"{path}/tasks", status="done")] == ["Dug"]
    refused = eve.get("/tasks", params={"scope": "project", "project_id": id_of(path)})
    assert_problem(refused, 422)
    for query in ({"sort": "priority"}, {"scope": "mine"}, {"project_id": id_of(path)}):
        assert_problem(ada.get(f"{path}/tasks", params=query), 422)


def test_an_archived_project_takes_no_more_tasks(ada: Caller, bob: Caller) -> None:
    """Those that it has are seen and changed as before."""
    path = make(ada, bob)
    task = ok(ada.post(f"{path}/tasks", {"title": "Dig"}), 201)
    ok(ada.patch(path, {"status": "archived"}))

    for answer in (
        ada.post(f"{path}/tasks", {"title": "x"}),
        bob.post("/tasks", {"title": "x", "project_id": id_of(path)}),
        ada.patch(f"/tasks/{ada.task()['id']}", {"project_id": id_of(path)}),
    ):
        assert_problem(answer, 409)
        assert answer.json()["code"] == "project_archived"
    assert ok(bob.patch(f"/tasks/{task['id']}", {"title": "x", "project_id": id_of(path)}))["version"] == 2


def test_an_assignee_is_checked_whichever_of_both_is_changed(ada: Caller, bob: Caller, eve: Caller) -> None:
    """A task does not move to a project that its assignee is not in."""
    path = make(ada, bob)
    task = f"/tasks/{ada.task(assignee_id=eve.id)['id']}"

    assert_problem(ada.patch(task, {"project_id": id_of(path)}), 422)
    moved = ok(ada.patch(task, {"project_id": id_of(path), "assignee_id": bob.id}))
    assert moved["assignee_id"] == bob.id
    assert_problem(ada.patch(task, {"assignee_id": eve.id}), 422)
    assert ok(ada.patch(task, {"project_id": None}))["assignee_id"] == bob.id
    assert_problem(eve.patch(task, {"assignee_id": eve.id}), 404)


def test_who_leaves_a_project_loses_its_tasks(ada: Caller, bob: Caller) -> None:
    """The rights at once, the assignments soon after; their own tasks stay."""
    path = make(ada, bob)
    given = ok(ada.post(f"{path}/tasks", {"title": "Dig", "assignee_id": bob.id}), 201)
    own = ok(bob.post(f"{path}/tasks", {"title": "Sow", "assignee_id": bob.id}), 201)

    ok(ada.call("DELETE", f"{path}/members/{bob.id}"), 204)

    assert_problem(bob.get(path), 404)
    wait_until("the end of the assignment", lambda: require(ada, given, assignee_id=None), DONE_S)
    assert ok(bob.get(f"/tasks/{own['id']}"))["assignee_id"] == bob.id
    assert_problem(bob.get(f"/tasks/{given['id']}"), 404)


def require(who: Caller, task: dict[str, Any], **fields: Any) -> None:
    """The task has come to have those values."""
    now = ok(who.get(f"/tasks/{task['id']}"))
    if any(now[name] != value for name, value in fields.items()):
        raise NotReady(str(now))


def test_a_project_with_open_tasks_is_deleted_only_with_a_choice(ada: Caller, bob: Caller, db: Db) -> None:
    """Detached tasks stay with their owners; members see them no more."""
    path = make(ada, bob)
    task = ok(ada.post(f"{path}/tasks", {"title": "Dig"}), 201)
    refused = ada.delete(path)
    assert_problem(refused, 409)
    assert refused.json()["code"] == "project_has_tasks"

    ok(ada.delete(path + "?tasks=detach"), 204)

    assert_problem(ada.get(path), 404)
    assert_problem(bob.get(f"/tasks/{task['id']}"), 404)
    wait_until("the purge", lambda: require(ada, task, project_id=None), DONE_S)
    wait_until("its end", lambda: require_gone(db, "projects", id_of(path)), DONE_S)


def test_a_project_is_deleted_with_its_tasks(ada: Caller, bob: Caller, db: Db) -> None:
    """Everybody's in it; and again with its key it is the same deletion."""
    path, key = make(ada, bob), {"Idempotency-Key": str(ObjectId())}
    made = [ok(who.post(f"{path}/tasks", {"title": "Dig"}), 201) for who in (ada, bob)]

    for _ in range(2):
        ok(ada.delete(path + "?tasks=delete", headers=key), 204)

    wait_until("its end", lambda: require_gone(db, "projects", id_of(path)), DONE_S)
    for who, task in zip((ada, bob), made, strict=True):
        assert_problem(who.get(f"/tasks/{task['id']}"), 404)
    # At once, and again when no write can come that has not heard of it.
    assert db["outbox"].count_documents({"payload.project_id": ObjectId(id_of(path)), "kind": "purge_project"}) == 2


def test_a_task_that_comes_late_to_a_deleted_project_is_let_go_of(ada: Caller, db: Db) -> None:
    """A request has looked at the project before it was deleted, and writes when the worker is through with it."""
    path = make(ada)
    ok(ada.post(f"{path}/tasks", {"title": "Dig"}), 201)
    task = db["tasks"].find_one({"owner_id": ObjectId(ada.id), "project_id": ObjectId(id_of(path))})
    ok(ada.delete(path + "?tasks=delete"), 204)
    wait_until("its end", lambda: require_gone(db, "projects", id_of(path)), DONE_S)
    assert task is not None
    late = {**task, "_id": ObjectId()}
    db["tasks"].insert_one(late)

    bring_forward(db, "purge_project", id_of(path))

    wait_until("the second purge", lambda: require_gone(db, "tasks", str(late["_id"])), DONE_S)


def test_who_left_a_project_keeps_no_task_that_came_late(ada: Caller, bob: Caller, db: Db) -> None:
    """They were given it by a request that had seen them in the project."""
    path = make(ada, bob)
    task = ok(ada.post(f"{path}/tasks", {"title": "Dig"}), 201)
    ok(ada.call("DELETE", f"{path}/members/{bob.id}"), 204)
    key = {"owner_id": ObjectId(ada.id), "project_id": ObjectId(id_of(path))}
    first = {"kind": "leave_project", "payload.project_id": key["project_id"], "state": "done"}
    wait_until("the first pass", lambda: require_one(db, first), DONE_S)
    db["tasks"].update_one(key, {"$set": {"assignee_id": ObjectId(bob.id)}})
    assert ok(bob.get(f"/tasks/{task['id']}"))["assignee_id"] == bob.id

    bring_forward(db, "leave_project", id_of(path))

    wait_until("the second pass", lambda: require_missing(bob, task), DONE_S)
    assert ok(ada.get(f"/tasks/{task['id']}"))["assignee_id"] is None


def bring_forward(db: Db, kind: str, project_id: str) -> None:
    """Have the worker do now what it would do after the last write that can come; the test need not wait for that."""
    due = {"$gt": datetime.now(UTC) + timedelta(seconds=5)}
    second = {"kind": kind, "payload.project_id": ObjectId(project_id), "state": "waiting", "next_attempt_at": due}
    found = db["outbox"].find_one(second)
    assert found is not None
    db["outbox"].update_one({"_id": found["_id"]}, {"$set": {"next_attempt_at": datetime.now(UTC)}})


def require_one(db: Db, entry: dict[str, Any]) -> None:
    if db["outbox"].count_documents(entry) != 1:
        raise NotReady("not done")


def require_missing(who: Caller, task: dict[str, Any]) -> None:
    if who.get(f"/tasks/{task['id']}").status_code != 404:
        raise NotReady("still seen")


def require_gone(db: Db, collection: str, item_id: str) -> None:
    if db[collection].count_documents({"_id": ObjectId(item_id)}):
        raise NotReady("still there")


def test_closed_tasks_do_not_keep_a_project(ada: Caller) -> None:
    path = make(ada)
    task = ok(ada.post(f"{path}/tasks", {"title": "Dig", "status": "done"}), 201)

    ok(ada.delete(path), 204)

    wait_until("the purge", lambda: require(ada, task, project_id=None), DONE_S)


def test_a_deletion_that_is_broken_off_is_finished_later(
    cluster: LocalCluster, ada: Caller, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch by batch; what is done stays done."""
    path = make(ada)
    for _ in range(5):
        ok(ada.post(f"{path}/tasks", {"title": "Dig"}), 201)
    project_id, calls, insert = ObjectId(id_of(path)), count(1), audit.insert_entries
    db["projects"].update_one({"_id": project_id}, {"$set": {"status": "deleting"}})
    monkeypatch.setattr(kinds, "AT_ONCE", 2)

    def break_off(*args: Any) -> None:
        if next(calls) == 2:
            raise OperationFailure("broken off")
        insert(*args)

    monkeypatch.setattr(audit, "insert_entries", break_off)
    environ = {"MONGODB_URI": cluster.uri(WORKER), "JWT_KEYS": KEY, "MONGODB_DB": cluster.database}
    with create_app(environ).app_context():
        payload = {"project_id": project_id, "tasks": "delete", "actor_id": ObjectId(ada.id), "request_id": "x"}
        with pytest.raises(OperationFailure, match="broken off"):
            kinds.purge_project(payload)
        # The second batch was deleted already when it broke off: without its audit entries it was not.
        assert db["tasks"].count_documents({"project_id": project_id}) == 3
        assert db["projects"].count_documents({"_id": project_id}) == 1

        kinds.purge_project(payload)
        kinds.purge_project(payload)
        services().connection.close()
    assert db["tasks"].count_documents({"project_id": project_id}) == 0
    assert db["projects"].count_documents({"_id": project_id}) == 0
    assert db["audit"].count_documents({"action": "task.delete", "before.project_id": project_id}) == 5


def test_a_deleted_user_is_in_no_project(api: Services, ada: Caller, db: Db) -> None:
    gone = sign_up(api.url)
    path = make(ada, gone)

    ok(gone.delete("/me"), 204)

    def probe() -> None:
        if ok(ada.get(path))["members"]:
            raise NotReady("still a member")

    wait_until("the purge", probe, DONE_S)

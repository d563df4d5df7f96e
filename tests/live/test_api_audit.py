"""The audit trail: who did what to which. On a real cluster, through a real server and its worker."""

from collections.abc import Callable
from typing import Any

import pytest
from api_support import Caller, assert_problem, ok, sign_up
from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import OperationFailure
from support import Login
from two_routers import door, newcomer

from api.ids import parse_public_id
from api.store import audit
from cluster.local import LocalCluster
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

Db = Database[dict[str, Any]]
Entry = dict[str, Any]
DONE_S = 20
EVENT = {"starts_at": "2030-12-31T20:00:00Z"}
HOURLY = {"kind": "interval", "every_s": 3600}


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    """Who owns most of what is changed here."""
    return sign_up(api.url)


@pytest.fixture(scope="module")
def bob(api: Services) -> Caller:
    """Somebody else."""
    return sign_up(api.url)


@pytest.fixture(scope="module")
def boss(api: Services, admin: Login) -> Caller:
    """The first administrator."""
    caller = Caller(api.url, admin.headers)
    return Caller(api.url, admin.headers, ok(caller.get("/me"))["id"])


def item_id(shown_id: str) -> ObjectId:
    """The `_id` behind an id as clients see it."""
    return ObjectId(shown_id) if len(shown_id) == 24 else parse_public_id(shown_id)[1]


def entries_of(db: Db, shown_id: str, action: str) -> list[Entry]:
    return list(db["audit"].find({"resource_id": item_id(shown_id), "action": action}))


# The path of something new, by what it is called.
MAKERS: dict[str, Callable[[Caller], str]] = {
    "task": lambda who: f"/tasks/{who.task()['id']}",
    "event": lambda who: f"/events/{ok(who.post('/events', EVENT), 201)['id']}",
    "reminder": lambda who: (
        f"/reminders/{ok(who.post('/reminders', {'task_id': who.task()['id'], 'schedule': HOURLY}), 201)['id']}"
    ),
    "project": lambda who: f"/projects/{ok(who.post('/projects', {'name': 'Garden'}), 201)['id']}",
}


@pytest.mark.parametrize("noun", MAKERS)
def test_a_deletion_leaves_one_entry(ada: Caller, db: Db, noun: str) -> None:
    """Who, what, at which version, on which request; and nothing for one that finds nothing."""
    path = MAKERS[noun](ada)
    shown_id = path.rpartition("/")[2]
    assert_problem(ada.delete(path, match='"7"'), 412)
    assert entries_of(db, shown_id, f"{noun}.delete") == []

    done = ada.delete(path, match='"1"')

    ok(done, 204)
    assert_problem(ada.delete(path), 404)
    (entry,) = entries_of(db, shown_id, f"{noun}.delete")
    assert entry["actor_id"] == ObjectId(ada.id)
    assert (entry["resource"], entry["ok"]) == (f"{noun}s", True)
    assert entry["request_id"] == done.headers["X-Request-Id"]
    expected = {"version": 1, "owner_id": ObjectId(ada.id)} | ({"member_ids": []} if noun == "project" else {})
    assert entry["before"] == expected


def test_a_deletion_tells_who_could_see_it(ada: Caller, bob: Caller, db: Db) -> None:
    """The assignee, and the project whose members saw it."""
    project = MAKERS["project"](ada)
    ok(ada.call("PUT", f"{project}/members/{bob.id}"), 204)
    project_id = ObjectId(project.rpartition("/")[2])
    task = ok(ada.post(f"{project}/tasks", {"title": "Dig", "assignee_id": bob.id}), 201)

    ok(ada.delete(f"/tasks/{task['id']}"), 204)
    ok(ada.delete(project), 204)

    (of_task,) = entries_of(db, task["id"], "task.delete")
    assert (of_task["before"]["assignee_id"], of_task["before"]["project_id"]) == (ObjectId(bob.id), project_id)
    (of_project,) = entries_of(db, str(project_id), "project.delete")
    assert of_project["before"]["member_ids"] == [ObjectId(bob.id)]
    assert of_project["before"]["version"] == 2


def in_bulk(who: Caller, task_id: str, is_atomic: bool) -> None:
    operations = [{"op": "delete", "id": task_id, "version": "*"}]
    answer = ok(who.post("/tasks/bulk", {"operations": operations, "atomic": is_atomic}))
    assert [each["status"] for each in answer["results"]] == [204]


def twice_with_a_key(who: Caller, task_id: str) -> None:
    key = {"Idempotency-Key": str(ObjectId())}
    for _ in range(2):
        ok(who.delete(f"/tasks/{task_id}", headers=key), 204)


WAYS: dict[str, Callable[[Caller, str], Any]] = {
    "in bulk": lambda who, task_id: in_bulk(who, task_id, False),
    "in an atomic bulk": lambda who, task_id: in_bulk(who, task_id, True),
    "at an older path": lambda who, task_id: ok(who.call("DELETE", f"//tasks/{task_id}"), 204),
    "twice with a key": twice_with_a_key,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_delete_leaves_the_same_entry(ada: Caller, db: Db, way: str) -> None:
    task_id = ada.task()["id"]

    WAYS[way](ada, task_id)

    (entry,) = entries_of(db, task_id, "task.delete")
    assert entry["actor_id"] == ObjectId(ada.id)


def test_nothing_is_deleted_without_its_entry(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are one transaction: where the entry cannot be written, the task stays."""

    def fail(entry: Entry) -> None:
        raise OperationFailure("no entry")

    with door(cluster, 0) as api:
        headers = newcomer(api)
        made = api.call("POST", "/tasks", {"title": "x"}, headers)
        path = f"/tasks/{made.get_json()['id']}"
        with monkeypatch.context() as patch:
            patch.setattr(audit, "insert_entry", fail)
            assert api.call("DELETE", path, None, {**headers, "If-Match": "*"}).status_code == 500
        assert api.call("GET", path, None, headers).status_code == 200
        assert api.call("DELETE", path, None, {**headers, "If-Match": "*"}).status_code == 204


def test_what_goes_with_a_user_has_its_entries(api: Services, boss: Caller, bob: Caller, db: Db) -> None:
    """Each names the admin who deleted the user, and the request."""
    gone = sign_up(api.url)
    paths = [MAKERS[noun](gone) for noun in ("task", "task", "event", "reminder")]
    assigned = ok(gone.post("/tasks", {"title": "x", "assignee_id": bob.id}), 201)

    done = boss.delete(f"/users/{gone.id}")

    ok(done, 204)
    (of_user,) = entries_of(db, gone.id, "user.delete")
    assert (of_user["actor_id"], of_user["before"]) == (ObjectId(boss.id), {"version": 1})
    wait_until("the purge", lambda: require_no_user(db, gone.id), DONE_S)
    wanted = {
        "before.owner_id": ObjectId(gone.id),
        "action": {"$in": ["task.delete", "event.delete", "reminder.delete"]},
    }
    found = list(db["audit"].find(wanted))
    # The reminder's own task is one more.
    assert len(found) == 6
    told = {(entry["actor_id"], entry["request_id"]) for entry in found}
    assert told == {(ObjectId(boss.id), done.headers["X-Request-Id"])}
    assert {item_id(path.rpartition("/")[2]) for path in paths} <= {entry["resource_id"] for entry in found}
    (of_assigned,) = entries_of(db, assigned["id"], "task.delete")
    assert of_assigned["before"]["assignee_id"] == ObjectId(bob.id)


def require_no_user(db: Db, user_id: str) -> None:
    if db["users"].count_documents({"_id": ObjectId(user_id)}):
        raise NotReady("still there")

"""Reminders, and the directory of people. On a real cluster, through a real server."""

import secrets
from typing import Any

import pytest
from api_support import Caller, assert_problem, ok, registration, sign_up
from bson import ObjectId
from pymongo.database import Database
from support import Login

from api.ids import parse_public_id
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

# How long the worker may take.
DONE_S = 15.0

DAILY = {"kind": "interval", "every_s": 86_400}


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    return sign_up(api.url)


@pytest.fixture(scope="module")
def bob(api: Services) -> Caller:
    return sign_up(api.url)


@pytest.fixture
def boss(api: Services, admin: Login) -> Caller:
    """The first administrator."""
    return Caller(api.url, admin.headers)


def test_a_reminder_is_made_read_changed_and_deleted(ada: Caller) -> None:
    task_id = ada.task()["id"]
    made = ada.post("/reminders", {"task_id": task_id, "schedule": {"kind": "once", "at": "2100-01-01T00:00:00Z"}})
    reminder = ok(made, 201)
    path = f"/reminders/{reminder['id']}"
    assert (reminder["task_id"], reminder["state"], reminder["runs"]) == (task_id, "waiting", 0)
    assert reminder["next_run_at"] == reminder["schedule"]["at"] == "2100-01-01T00:00:00.000Z"
    assert ok(ada.get(path)) == reminder
    assert [each["id"] for each in ok(ada.get("/reminders"))["data"]] == [reminder["id"]]

    cron = {"kind": "cron", "cron": "0 9 * * 1-5"}
    changed = ok(ada.patch(path, {"schedule": cron}, match='"1"'))
    assert changed["schedule"] == {**cron, "tz": "UTC"}
    assert changed["next_run_at"][10:] == "T09:00:00.000Z"
    assert_problem(ada.patch(path, {"schedule": DAILY}, match='"1"'), 412)
    assert_problem(ada.put(path, {"schedule": DAILY}), 405)
    ok(ada.delete(path, match='"2"'), 204)
    assert_problem(ada.get(path), 404)


def test_a_reminder_is_of_an_open_task_that_one_sees(ada: Caller, bob: Caller) -> None:
    """As owner or assignee; the reminder is one's own."""
    theirs, given = ada.task()["id"], ada.task(assignee_id=bob.id)["id"]
    done = bob.task(status="done")["id"]

    assert_problem(bob.post("/reminders", {"task_id": theirs, "schedule": DAILY}), 422)
    assert_problem(bob.post("/reminders", {"task_id": done, "schedule": DAILY}), 422)
    own = ok(bob.post("/reminders", {"task_id": given, "schedule": DAILY}), 201)
    assert own["owner_id"] == bob.id
    assert_problem(ada.get(f"/reminders/{own['id']}"), 404)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"task_id": None}, "/task_id"),
        ({"task_id": "x"}, "/task_id"),
        ({"task_id": "A" * 32}, "/task_id"),
        ({"task_id": {"$ne": ""}}, "/task_id"),
        ({"schedule": None}, "/schedule"),
        ({"schedule": "daily"}, "/schedule/_schema"),
        ({"schedule": {"kind": "once", "at": "2000-01-01T00:00:00Z"}}, "/schedule"),
        ({"schedule": {"kind": "cron", "cron": "0 0 31 2 *"}}, "/schedule/cron"),
        ({"state": "done"}, "/state"),
        ({"next_run_at": "2100-01-01T00:00:00Z"}, "/next_run_at"),
    ],
)
def test_bad_input_names_the_field(ada: Caller, fields: dict[str, Any], pointer: str) -> None:
    answer = ada.post("/reminders", {"task_id": ada.task()["id"], "schedule": DAILY, **fields})

    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer.removesuffix("/_schema")]


def test_a_reminder_is_its_owners_and_admins(ada: Caller, bob: Caller, boss: Caller) -> None:
    made = ok(ada.post("/reminders", {"task_id": ada.task()["id"], "schedule": DAILY}), 201)
    path = f"/reminders/{made['id']}"

    for answer in (bob.get(path), bob.patch(path, {"schedule": DAILY}), bob.delete(path)):
        assert_problem(answer, 404)
    assert ok(boss.get(path))["owner_id"] == ada.id


def test_reminders_are_filtered_by_state_time_and_task(api: Services, db: Database[dict[str, Any]]) -> None:
    """What a worker has in hand is waiting; what is done is due no more, and comes first as nulls do."""
    who = sign_up(api.url)
    tasks = [who.task()["id"] for _ in range(2)]
    made = []
    for year, task in zip((2101, 2102, 2103, 2104), (*tasks, *tasks), strict=True):
        body = {"task_id": task, "schedule": {"kind": "once", "at": f"{year}-01-01T00:00:00Z"}}
        made.append(ok(who.post("/reminders", body), 201)["id"])
    stored = sorted(db["reminders"].find({"owner_id": ObjectId(who.id)}), key=lambda each: each["next_run_at"])
    key = {"owner_id": ObjectId(who.id)}
    db["reminders"].update_one({**key, "_id": stored[1]["_id"]}, {"$set": {"state": "leased"}})
    db["reminders"].update_one({**key, "_id": stored[3]["_id"]}, {"$set": {"state": "done", "next_run_at": None}})

    for query, expected in (
        ({"sort": "next_run_at"}, [3, 0, 1, 2]),
        ({"sort": "-next_run_at"}, [2, 1, 0, 3]),
        ({"state": "waiting"}, [0, 1, 2]),
        ({"state__neq": "waiting"}, [3]),
        ({"state__in": "done,failed"}, [3]),
        ({"next_run_at__gte": "2102-01-01T00:00:00Z"}, [1, 2]),
        ({"next_run_at__exists": "false"}, [3]),
        ({"next_run_at__lt": "2103-01-01T00:00:00Z", "state": "waiting", "sort": "-next_run_at"}, [1, 0]),
    ):
        paged = pages(who, query)
        assert [made.index(each) for each in paged] == expected, query
    # Ids of one second and several processes are in no order of time.
    assert {made.index(each) for each in pages(who, {"task_id": tasks[0], "sort": "id"})} == {0, 2}
    for bad in (
        {"state": "leased"},
        {"state": "done", "sort": "id"},
        {"task_id": tasks[0], "state": "done"},
        {"task_id": tasks[0], "sort": "next_run_at"},
        {"task_id": "x"},
    ):
        assert_problem(who.get("/reminders", params=bad), 422)


def pages(who: Caller, query: dict[str, str]) -> list[str]:
    """The ids of a whole list, one item a page."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = ok(who.get("/reminders", params={**query, "limit": 1, **cursor}))
        found += [each["id"] for each in page["data"]]
        if page["pagination"]["next_cursor"] is None:
            return found
        cursor = {"cursor": page["pagination"]["next_cursor"]}


@pytest.mark.parametrize("how", ["alone", "in bulk", "with its project", "with its owner"])
def test_reminders_go_with_their_task(api: Services, boss: Caller, db: Database[dict[str, Any]], how: str) -> None:
    """Whosever they are and however it is deleted; each in the audit trail. Those of other tasks stay."""
    owner, other = sign_up(api.url), sign_up(api.url)
    project_id = ok(owner.post("/projects", {"name": "Garden"}), 201)["id"]
    ok(owner.call("PUT", f"/projects/{project_id}/members/{other.id}"), 204)
    place = {} if how == "with its owner" else {"project_id": project_id}
    task = owner.task(**place, assignee_id=other.id)["id"]
    kept = ok(other.post("/reminders", {"task_id": other.task()["id"], "schedule": DAILY}), 201)["id"]
    for who in (owner, other):
        ok(who.post("/reminders", {"task_id": task, "schedule": DAILY}), 201)
    gone = list(db["reminders"].find({"task_id": parse_public_id(task)[1]}, {"_id": 1}))
    assert len(gone) == 2

    if how == "alone":
        ok(owner.delete(f"/tasks/{task}"), 204)
    elif how == "in bulk":
        delete = {"op": "delete", "id": task, "version": "*"}
        ok(owner.post("/tasks/bulk", {"operations": [delete], "atomic": True}))
    elif how == "with its project":
        ok(owner.delete(f"/projects/{project_id}?tasks=delete"), 204)
    else:
        ok(owner.delete(f"/projects/{project_id}"), 204)
        ok(boss.delete(f"/users/{owner.id}"), 204)

    ids = [each["_id"] for each in gone]
    wait_until("the end of the reminders", lambda: require_none(db, ids), DONE_S)
    assert [each["id"] for each in ok(other.get("/reminders"))["data"]] == [kept]
    assert db["audit"].count_documents({"action": "reminder.delete", "resource_id": {"$in": ids}}) == 2


def require_none(db: Database[dict[str, Any]], ids: list[Any]) -> None:
    left = db["reminders"].count_documents({"_id": {"$in": ids}})
    if left:
        raise NotReady(f"{left} are left")


def test_people_are_found_by_the_beginning_of_their_username(api: Services, ada: Caller, boss: Caller) -> None:
    """In any case, page by page, without those who are disabled; nothing but names is told."""
    start = "Zz" + secrets.token_hex(4)
    people = [sign_up(api.url, username=f"{start}{n}", email=registration()["email"], name=f"N{n}") for n in range(5)]
    ok(boss.patch(f"/users/{people[4].id}", {"status": "disabled"}))

    found = ok(ada.get("/users/directory", params={"q": start.upper()}))["data"]
    assert found == [{"id": who.id, "username": who.username, "name": f"N{n}"} for n, who in enumerate(people[:4])]

    page = ok(ada.get("/users/directory", params={"q": start, "limit": 3}))
    rest = ok(ada.get("/users/directory", params={"q": start, "cursor": page["pagination"]["next_cursor"]}))
    assert page["data"] + rest["data"] == found
    down = ok(ada.get("/users/directory", params={"q": start, "sort": "-username"}))["data"]
    assert down == found[::-1]


@pytest.mark.parametrize("query", [{"q": ""}, {"q": "x" * 33}, {"q": "a", "role": "admin"}, {"q": "a\0"}])
def test_the_directory_is_asked_for_a_beginning_alone(ada: Caller, query: dict[str, str]) -> None:
    assert_problem(ada.get("/users/directory", params=query), 422)

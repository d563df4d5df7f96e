"""Reminders, and the directory of people. On a real cluster, through a real server."""

import secrets
from typing import Any

import pytest
from api_support import Caller, assert_problem, ok, registration, sign_up
from support import Login

from cluster.run.services import Services

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

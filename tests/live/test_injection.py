"""Injection: what looks like an operator, a path or an expression is text, and is stored and found as that.

After the published holes of other data APIs over MongoDB. What is no text is refused by the table of bad input; here
is what gets through. Updates are pipelines: a value that were read as an expression would change what is stored.
"""

from typing import Any

import pytest
from api_support import PASSWORD, Caller, assert_problem, ok, registration, sign_up
from bson import ObjectId
from pymongo.database import Database

from cluster.run.services import Services

Db = Database[dict[str, Any]]

TEXTS = (
    "$owner_id",
    "$$ROOT",
    "$$NOW",
    "$password_hash",
    '{"$literal": "x"}',
    '{"$ne": null}',
    '"; return true; var x="',
    "a.b.c",
    "__proto__",
    "constructor.prototype",
    "$where",
    "%00",
    "' || '1'=='1",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe",
    "(a+)+$",
)

# Every text that a client may write: route, field.
WRITABLE = (
    ("/tasks", "title"),
    ("/tasks", "description"),
    ("/events", "title"),
    ("/events", "venue"),
    ("/events", "address"),
    ("/projects", "name"),
    ("/projects", "description"),
)
BASES: dict[str, dict[str, Any]] = {
    "/tasks": {"title": "x"},
    "/events": {"starts_at": "2030-12-31T20:00:00Z"},
    "/projects": {"name": "x"},
}


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    return sign_up(api.url)


@pytest.fixture(scope="module")
def eve(api: Services) -> Caller:
    """Somebody with one task, on which a pattern would spend its time."""
    who = sign_up(api.url)
    who.task(title="a" * 200)
    return who


@pytest.mark.parametrize(("path", "field"), WRITABLE)
def test_a_text_is_stored_as_it_is(ada: Caller, path: str, field: str) -> None:
    """By POST, which inserts, and by PATCH, whose update is a pipeline."""
    item = f"{path}/{ok(ada.post(path, BASES[path]), 201)['id']}"
    for text in TEXTS:
        assert ok(ada.post(path, {**BASES[path], field: text}), 201)[field] == text
        changed = ok(ada.patch(item, {field: text}))
        assert changed[field] == text
        assert ok(ada.get(item)) == changed


def test_tags_are_stored_as_they_are(ada: Caller) -> None:
    item, tags = f"/tasks/{ada.task()['id']}", list(TEXTS)

    assert ada.task(tags=tags)["tags"] == tags
    assert ok(ada.patch(item, {"tags": tags}))["tags"] == tags


def test_preferences_are_stored_as_they_are_and_replaced_whole(ada: Caller, db: Db) -> None:
    """The one free object: its names are plain, its values anything that is not an object."""
    who = ada
    for text in TEXTS:
        wanted = {"theme": text, "size": 3, "wide": True, "none": None}
        assert ok(who.patch("/me", {"preferences": wanted, "name": text}))["preferences"] == wanted
    assert ok(who.patch("/me", {"preferences": {"only": "$name"}}))["preferences"] == {"only": "$name"}
    stored = db["users"].find_one({"_id": ObjectId(who.id)}) or {}
    assert (stored["preferences"], stored["role"]) == ({"only": "$name"}, "member")


@pytest.mark.parametrize("name", ["$set", "a.b", "", "$where", "é", "x" * 51])
def test_a_preference_has_a_plain_name(ada: Caller, name: str) -> None:
    assert_problem(ada.patch("/me", {"preferences": {name: 1}}), 422)


def test_names_that_a_script_would_trip_over_are_names(ada: Caller) -> None:
    """Nothing here is an object with a prototype."""
    wanted = {"__proto__": "x", "constructor": "y", "toString": "z"}
    assert ok(ada.patch("/me", {"preferences": wanted}))["preferences"] == wanted


def test_a_schedule_is_stored_as_it_is(ada: Caller, db: Db) -> None:
    """And holds nothing but a schedule."""
    task_id = ada.task()["id"]
    for schedule in ({"kind": "cron", "cron": "$a $b $c $d $e"}, {"kind": "$literal"}, {"kind": "cron", "$set": {}}):
        assert_problem(ada.post("/reminders", {"task_id": task_id, "schedule": schedule}), 422)
    made = ok(ada.post("/reminders", {"task_id": task_id, "schedule": {"kind": "interval", "every_s": 3600}}), 201)
    cron = {"kind": "cron", "cron": "0 9 * * 1-5", "tz": "Europe/Berlin"}
    assert ok(ada.patch(f"/reminders/{made['id']}", {"schedule": cron}))["schedule"] == cron


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_looked_for_as_it_is(api: Services, ada: Caller, text: str) -> None:
    """`like` and searches find what holds it, and nothing else."""
    mark = registration()["username"]
    ada.task(title=f"{mark} {text}")
    ada.task(title=f"{mark} other")
    rules = [{"field": "title", "operator": "like", "value": f"{mark} {text}"}]

    listed = ok(ada.get("/tasks", params={"title__like": f"{mark} {text}"}))["data"]
    searched = ok(ada.post("/tasks/search", {"filters": {"condition": "AND", "rules": rules}}))["data"]
    assert [task["title"] for task in listed] == [task["title"] for task in searched] == [f"{mark} {text}"]


@pytest.mark.parametrize("text", ["(a+)+$", "(a|a)*b", "[", "\\", "(?=", "^.*$", ".{1000000}", "\\Q\\E", "(?i)", "*"])
def test_a_pattern_is_no_pattern(eve: Caller, text: str) -> None:
    """Neither an error of the server's nor a match, let alone one that never ends."""
    assert ok(eve.get("/tasks", params={"title__like": text}))["data"] == []
    assert ok(eve.get("/users/directory", params={"q": text}))["data"] == []


@pytest.mark.parametrize("value", [{"$ne": ""}, {"$gt": ""}, ["x"], [{"$ne": 1}], {"$regex": ".*"}, True, 1, None])
def test_no_operator_logs_anybody_in(api: Services, ada: Caller, value: Any) -> None:
    """As name, as password or as token."""
    nobody = Caller(api.url)
    for body in (
        {"username": ada.username, "password": value},
        {"username": value, "password": PASSWORD},
        {"email": value, "password": PASSWORD},
    ):
        assert_problem(nobody.post("/auth/login", body), 422)
    assert_problem(nobody.post("/auth/refresh", {"refresh_token": value}), 422)
    assert_problem(ada.call("PUT", "/me/password", json={"current_password": value, "new_password": "x" * 12}), 422)


@pytest.mark.parametrize("path", ["/tasks", "/events", "/reminders", "/projects", "/users/directory", "/stats"])
@pytest.mark.parametrize(
    "query",
    ["status[$ne]=x", "status[]=x&status[]=y", "filter={}", "$where=1", "owner_id[$gt]=", "$or[0][a]=b", "a.b=c"],
)
def test_no_operator_gets_into_a_query(ada: Caller, path: str, query: str) -> None:
    """As clever parsers of query strings would build objects of them."""
    assert_problem(ada.get(f"{path}?{query}"), 422)


OWN_FIELDS = ("role", "owner_id", "_id", "id", "version", "created_at", "updated_by", "completed_at", "$set", "tags.0")


@pytest.mark.parametrize("field", OWN_FIELDS)
def test_nobody_assigns_what_is_not_theirs_to_write(ada: Caller, db: Db, field: str) -> None:
    """The stored document is as it was, to the byte."""
    task = ada.task()
    key = {"owner_id": ObjectId(ada.id), "title": task["title"]}
    before = list(db["tasks"].find(key))

    for answer in (
        ada.patch(f"/tasks/{task['id']}", {field: "x"}),
        ada.put(f"/tasks/{task['id']}", {"title": "x", field: "x"}),
        ada.post("/tasks", {"title": task["title"], field: "x"}),
        ada.patch("/me", {field: "admin"}),
    ):
        assert_problem(answer, 422)
        assert answer.json()["errors"][0]["pointer"] == f"/{field}"
    assert list(db["tasks"].find(key)) == before

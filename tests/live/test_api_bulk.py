"""Searches and many writes in one request, on a real cluster."""

from typing import Any

import pytest
from api_support import Caller, assert_problem, ok, sign_up
from bson import ObjectId
from pymongo.database import Database

from cluster.run.services import Services

Db = Database[dict[str, Any]]


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    return sign_up(api.url)


def create(**fields: Any) -> dict[str, Any]:
    return {"op": "create", "body": {"title": "x", **fields}}


def bulk(who: Caller, *operations: Any, **sent: Any) -> Any:
    return who.post("/tasks/bulk", {"operations": list(operations), **sent.pop("more", {})}, **sent)


def titles(db: Db, who: Caller) -> list[str]:
    return sorted(task["title"] for task in db["tasks"].find({"owner_id": ObjectId(who.id)}))


def test_a_search_joins_rules(api: Services) -> None:
    """Page by page, of the caller's own tasks alone."""
    who, other = sign_up(api.url), sign_up(api.url)
    other.task(title="Report of another", priority=1)
    for number in range(8):
        who.task(title=f"REPORT {number}" if number % 2 else f"x{number}", priority=1 + number % 5)
    filters = {
        "condition": "OR",
        "rules": [
            {"field": "title", "operator": "like", "value": "report"},
            {"condition": "AND", "rules": [{"field": "priority", "operator": "in", "value": [1]}]},
        ],
    }
    found: list[str] = []
    body: dict[str, Any] = {"filters": filters, "limit": 2, "sort": "-priority"}
    while True:
        page = ok(who.post("/tasks/search", body))
        found += [task["title"] for task in page["data"]]
        if not page["pagination"]["has_more"]:
            break
        assert page["links"] == {"self": "/api/v1/tasks/search", "next": None}
        body["cursor"] = page["pagination"]["next_cursor"]

    assert sorted(found) == ["REPORT 1", "REPORT 3", "REPORT 5", "REPORT 7", "x0"]
    changed = {**body, "filters": {**filters, "condition": "AND"}}
    answer = who.post("/tasks/search", changed)
    assert_problem(answer, 422)
    assert answer.json()["code"] == "invalid_cursor"
    assert_problem(who.post("/tasks/search", {"filters": {"$where": "1"}}), 422)


def test_each_operation_has_a_result_of_its_own(ada: Caller, db: Db) -> None:
    """What the same request alone would have answered."""
    kept, gone = ada.task(title="kept"), ada.task(title="gone")
    results = ok(
        bulk(
            ada,
            create(title="new"),
            create(title=""),
            {"op": "update", "id": kept["id"], "version": 1, "body": {"status": "done"}},
            {"op": "update", "id": kept["id"], "version": 1, "body": {"status": "pending"}},
            {"op": "delete", "id": gone["id"], "version": "*"},
            {"op": "delete", "id": gone["id"], "version": 1},
            {"op": "delete", "id": kept["id"]},
        )
    )["results"]

    assert [result["status"] for result in results] == [201, 422, 200, 412, 204, 404, 428]
    assert results[0]["body"]["title"] == "new"
    assert (results[2]["etag"], results[2]["body"]["status"]) == ('"2"', "done")
    assert results[1]["body"]["errors"][0]["pointer"] == "/body/title"
    assert titles(db, ada) == ["kept", "new"]


def test_all_or_none_are_written(api: Services, db: Db) -> None:
    """In one transaction; the problem names the operation."""
    who = sign_up(api.url)
    task = who.task(title="first")
    change = {"op": "update", "id": task["id"], "version": 1, "body": {"title": "second"}}

    refused = bulk(
        who, create(title="a"), change, {"op": "delete", "id": "A" * 32, "version": 1}, more={"atomic": True}
    )
    assert_problem(refused, 404)
    assert "/operations/2" in refused.json()["detail"]
    assert titles(db, who) == ["first"]
    stale = bulk(who, change, {**change, "body": {"title": "third"}}, more={"atomic": True})
    assert_problem(stale, 412)
    assert titles(db, who) == ["first"]

    done = bulk(who, create(title="a"), change, more={"atomic": True})
    assert [result["status"] for result in ok(done)["results"]] == [201, 200]
    assert titles(db, who) == ["a", "second"]


@pytest.mark.parametrize("is_atomic", [False, True])
def test_repeated_with_its_key_nothing_is_written_twice(api: Services, db: Db, is_atomic: bool) -> None:
    """Item by item: those that failed may succeed the second time, those that were done stay."""
    who, key = sign_up(api.url), {"Idempotency-Key": str(ObjectId())}
    operations = [create(title="a"), create(title="b")]

    answers = [bulk(who, *operations, headers=key, more={"atomic": is_atomic}) for _ in range(2)]

    assert ok(answers[0]) == ok(answers[1])
    assert titles(db, who) == ["a", "b"]
    other = bulk(who, create(title="c"), create(title="b"), headers=key, more={"atomic": is_atomic})
    if is_atomic:
        assert_problem(other, 422)
    else:
        assert [result["status"] for result in ok(other)["results"]] == [422, 201]
        assert ok(other)["results"][0]["body"]["code"] == "idempotency_key_reused"
    assert titles(db, who) == ["a", "b"]


def test_others_tasks_are_out_of_reach(ada: Caller, api: Services) -> None:
    bob = sign_up(api.url)
    task = bob.task()
    operation = {"op": "update", "id": task["id"], "version": "*", "body": {"title": "mine"}}

    assert [result["status"] for result in ok(bulk(ada, operation))["results"]] == [404]
    assert_problem(bulk(ada, operation, more={"atomic": True}), 404)
    assert ok(bob.get(f"/tasks/{task['id']}"))["version"] == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/operations"),
        ({"operations": []}, "/operations"),
        ({"operations": [create()] * 101}, "/operations"),
        ({"operations": "x"}, "/operations"),
        ({"operations": [[]]}, "/operations/0"),
        ({"operations": [create()], "atomic": "yes"}, "/atomic"),
        ({"operations": [create()], "x": 1}, "/x"),
        ({"operations": [{}], "atomic": True}, "/operations/0/op"),
        ({"operations": [{"op": "drop"}], "atomic": True}, "/operations/0/op"),
        ({"operations": [{"op": {"$ne": ""}}], "atomic": True}, "/operations/0/op"),
        ({"operations": [{**create(), "id": "A" * 32}], "atomic": True}, "/operations/0/id"),
        ({"operations": [create(owner_id="0" * 24)], "atomic": True}, "/operations/0/body/owner_id"),
        ({"operations": [{"op": "create", "body": []}], "atomic": True}, "/operations/0/body"),
        ({"operations": [{"op": "delete", "id": {"$ne": 1}, "version": 1}], "atomic": True}, "/operations/0/id"),
        ({"operations": [{"op": "delete", "id": "A" * 32, "version": True}], "atomic": True}, "/operations/0/version"),
    ],
)
def test_bad_operations_name_their_place(ada: Caller, body: dict[str, Any], pointer: str) -> None:
    answer = ada.post("/tasks/bulk", body)

    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

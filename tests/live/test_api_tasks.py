"""Tasks: written, read, listed and repeated. On a real cluster, through a real server."""

from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from api_support import Caller, assert_problem, at_once, ok, sign_up, statuses
from bson import ObjectId
from pymongo.database import Database
from support import Login

from cluster.run.services import Services

Db = Database[dict[str, Any]]


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


def test_a_task_is_made_read_changed_and_deleted(ada: Caller) -> None:
    """The whole life of one, by its versions."""
    made = ada.post("/tasks", {"title": "Write", "due_at": "2030-01-31T17:00:00.123456+02:00", "tags": ["a"]})
    task = ok(made, 201)
    path = f"/tasks/{task['id']}"
    assert (made.headers["Location"], made.headers["ETag"]) == (f"/api/v1{path}", '"1"')
    assert (task["status"], task["priority"], task["owner_id"]) == ("pending", 3, ada.id)
    assert task["due_at"] == "2030-01-31T15:00:00.123Z"
    assert ok(ada.get(path)) == task

    done = ok(ada.patch(path, {"status": "done"}, match='"1"'))
    assert (done["status"], done["version"], done["title"]) == ("done", 2, "Write")
    assert done["completed_at"] is not None

    replaced = ok(ada.put(path, {"title": "Rewrite", "status": "done"}, match='"2"'))
    assert (replaced["tags"], replaced["due_at"], replaced["version"]) == ([], None, 3)
    assert replaced["completed_at"] == done["completed_at"], "it was completed once"
    assert ok(ada.patch(path, {"status": "pending"}))["completed_at"] is None

    ok(ada.delete(path, match='"4"'), 204)
    assert_problem(ada.get(path), 404)


def test_what_is_written_passes_the_validator_and_is_stamped(ada: Caller, db: Db) -> None:
    """Who and by which request: the audit trail is made of it."""
    answer = ada.post("/tasks", {"title": "$owner_id", "position": 1}, headers={"X-Request-Id": "request-0001"})
    ok(answer, 201)
    task_id = answer.json()["id"]
    ok(ada.patch(f"/tasks/{task_id}", {"title": "$version", "description": "{$set: 1}"}))

    stored = db["tasks"].find_one({"owner_id": ObjectId(ada.id), "request_id": {"$ne": None}, "title": "$version"})
    assert stored is not None
    assert stored["updated_by"] == ObjectId(ada.id)
    assert stored["description"] == "{$set: 1}"
    assert answer.headers["X-Request-Id"] == "request-0001"


def test_a_write_needs_the_present_version(ada: Caller) -> None:
    path = f"/tasks/{ada.task()['id']}"

    for method in ("PUT", "PATCH", "DELETE"):
        body = None if method == "DELETE" else {"title": "x"}
        assert_problem(ada.call(method, path, json=body), 428)
        for match in ('"2"', '"x"', '""', '"99999999999999999999"', "0"):
            stale = ada.call(method, path, {"If-Match": match}, json=body)
            assert_problem(stale, 412)
            assert stale.headers["ETag"] == '"1"'
    assert ok(ada.get(path))["version"] == 1
    assert ok(ada.patch(path, {"title": "x"}, match='"7", W/"1"'))["version"] == 2


def test_a_read_of_what_one_has_is_304(ada: Caller) -> None:
    path = f"/tasks/{ada.task()['id']}"

    for tag in ('"1"', 'W/"1"', "*", '"5", "1"'):
        answer = ada.get(path, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content) == (304, b"")
    assert ada.get(path, headers={"If-None-Match": '"2"'}).status_code == 200


def test_of_many_writers_at_one_version_exactly_one_wins(ada: Caller) -> None:
    path = f"/tasks/{ada.task()['id']}"

    answers = at_once([lambda n=n: ada.patch(path, {"title": f"t{n}"}, match='"1"') for n in range(10)])

    assert statuses(answers) == {200: 1, 412: 9}
    assert ok(ada.get(path))["version"] == 2


@pytest.mark.parametrize("task_id", ["x", "A" * 31, "A" * 33, "A" * 32, "%00", "A" * 31 + "=", "$ne"])
def test_an_id_that_was_never_given_out_does_not_exist(ada: Caller, task_id: str) -> None:
    assert_problem(ada.get(f"/tasks/{task_id}"), 404)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": "x", "priority": 6}, "/priority"),
        ({"title": "x", "priority": 10**30}, "/priority"),
        ({"title": "x", "status": "Pending"}, "/status"),
        ({"title": "x", "due_at": "2030-01-31T17:00:00"}, "/due_at"),
        ({"title": "x", "tags": ["a"] * 21}, "/tags"),
        ({"title": "x", "tags": [{"$ne": 1}]}, "/tags/0"),
        ({"title": "x", "owner_id": "0" * 24}, "/owner_id"),
        ({"title": "x", "version": 9}, "/version"),
        ({"title": "x", "assignee_id": "0" * 24}, "/assignee_id"),
        ({"title": "x", "project_id": "0" * 24}, "/project_id"),
    ],
)
def test_bad_input_names_the_field_and_writes_nothing(ada: Caller, db: Db, body: dict[str, Any], pointer: str) -> None:
    before = db["tasks"].count_documents({"owner_id": ObjectId(ada.id)})

    answer = ada.post("/tasks", body)

    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert db["tasks"].count_documents({"owner_id": ObjectId(ada.id)}) == before


def test_another_persons_task_does_not_exist(ada: Caller, bob: Caller, boss: Caller) -> None:
    """Not to read, change or delete; to admins it does."""
    path = f"/tasks/{ada.task()['id']}"

    assert_problem(bob.get(path), 404)
    assert_problem(bob.patch(path, {"status": "done"}), 404)
    assert_problem(bob.put(path, {"title": "x"}), 404)
    assert_problem(bob.delete(path), 404)
    assert ok(ada.get(path))["version"] == 1
    assert ok(boss.patch(path, {"title": "by an admin"}))["owner_id"] == ada.id


def test_an_assignee_changes_status_and_position_alone(ada: Caller, bob: Caller) -> None:
    path = f"/tasks/{ada.task(assignee_id=bob.id)['id']}"

    assert ok(bob.get(path))["assignee_id"] == bob.id
    assert ok(bob.patch(path, {"status": "in_progress", "position": 2.5}))["version"] == 2
    for answer in (bob.patch(path, {"title": "x"}), bob.put(path, {"title": "x"}), bob.delete(path)):
        assert_problem(answer, 403)
    assert_problem(bob.patch(path, {"status": "done"}, match='"1"'), 412)
    ok(ada.patch(path, {"assignee_id": None}))
    assert_problem(bob.get(path), 404)


def test_a_member_of_its_project_sees_and_changes_a_task(ada: Caller, bob: Caller, api: Services, db: Db) -> None:
    """Deleting is for owners; people outside see nothing."""
    project_id = make_project(db, ada, bob)
    path = f"/tasks/{ada.task(project_id=str(project_id))['id']}"

    assert ok(bob.get(path))["project_id"] == str(project_id)
    assert ok(bob.patch(path, {"title": "by a member"}))["version"] == 2
    assert_problem(bob.delete(path), 403)
    assert_problem(sign_up(api.url).get(path), 404)


def test_an_assignee_must_be_one_who_may(ada: Caller, bob: Caller, api: Services, db: Db) -> None:
    """In a project, its members; without one, anybody active. Nobody puts tasks in others' projects."""
    project_id, stranger = str(make_project(db, ada, bob)), sign_up(api.url)
    ada.task(project_id=project_id, assignee_id=bob.id)

    refused = ada.post("/tasks", {"title": "x", "project_id": project_id, "assignee_id": stranger.id})
    assert_problem(refused, 422)
    assert_problem(stranger.post("/tasks", {"title": "x", "project_id": project_id}), 422)
    in_project = ada.task(project_id=project_id)
    assert_problem(ada.patch(f"/tasks/{in_project['id']}", {"assignee_id": stranger.id}), 422)


def make_project(db: Db, owner: Caller, *members: Caller) -> ObjectId:
    """A project, straight into the database."""
    at = datetime.now(UTC)
    own = {"_id": ObjectId(), "owner_id": ObjectId(owner.id), "member_ids": [ObjectId(who.id) for who in members]}
    stamps = {"created_at": at, "updated_at": at, "updated_by": None, "request_id": None, "version": 1}
    db["projects"].insert_one({**own, "name": "Garden", "description": "", "status": "active", **stamps})
    return own["_id"]  # type: ignore[return-value]


@pytest.fixture(scope="module")
def lister(api: Services) -> tuple[Caller, list[dict[str, Any]]]:
    """Somebody with tasks of every status and priority, half without a due date, many equal ones."""
    who, dawn = sign_up(api.url), datetime(2030, 1, 1, tzinfo=UTC)
    shapes = product(("pending", "in_progress", "done", "cancelled"), (1, 3, 5), (0, 1, None, None))
    tasks = [
        who.task(
            title=f"t{number}",
            status=status,
            priority=priority,
            assignee_id=who.id,
            due_at=None if day is None else (dawn + timedelta(days=day)).isoformat(),
        )
        for number, (status, priority, day) in enumerate(shapes)
    ]
    return who, tasks


def pages(who: Caller, limit: int = 5, **query: str) -> Iterator[dict[str, Any]]:
    """Every task of a list, page by page."""
    cursor = None
    while True:
        page = ok(who.get("/tasks", params={**query, "limit": limit, "cursor": cursor}))
        yield from page["data"]
        cursor = page["pagination"]["next_cursor"]
        assert page["pagination"]["has_more"] is (cursor is not None)
        assert len(page["data"]) == limit or cursor is None
        if cursor is None:
            return


def order_of(task: dict[str, Any], field: str) -> tuple[bool, Any, str]:
    """How tasks compare: nulls first, then by value, then by id."""
    # The public id is none to sort by: base64url does not sort as bytes do.
    value = None if field == "id" else task[field]
    return (value is not None, value or 0, item_part(task))


def item_part(task: dict[str, Any]) -> str:
    return urlsafe_b64decode(task["id"])[12:].hex()


SORTS = [("mine", sort) for sort in ("id", "-id", "due_at", "-due_at", "priority", "-priority")]
SORTS += [("assigned", sort) for sort in ("due_at", "-due_at")]


@pytest.mark.parametrize(("scope", "sort"), SORTS)
@pytest.mark.parametrize("filters", [{}, {"status": "done"}, {"status__neq": "done"}])
def test_pages_give_every_task_once_and_in_order(
    lister: tuple[Caller, list[dict[str, Any]]], scope: str, sort: str, filters: dict[str, str]
) -> None:
    """Each sort, both ways, half of the values null."""
    who, tasks = lister
    field, wanted = sort.lstrip("-"), [task for task in tasks if keeps(task, filters)]

    found = list(pages(who, scope=scope, sort=sort, **filters))

    expected = sorted(wanted, key=lambda task: order_of(task, field), reverse=sort.startswith("-"))
    assert [task["title"] for task in found] == [task["title"] for task in expected]


def keeps(task: dict[str, Any], filters: dict[str, str]) -> bool:
    tests = {"status": lambda value: task["status"] == value, "status__neq": lambda value: task["status"] != value}
    return all(tests[name](value) for name, value in filters.items())


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"priority__in": "1,5"}, 32),
        ({"priority__gte": "3", "status": "done"}, 8),
        ({"due_at__exists": "false"}, 24),
        ({"due_at__exists": "true", "order": "desc"}, 24),
        ({"due_at__gt": "2030-01-01T00:00:00Z"}, 12),
        ({"due_at__gte": "2030-01-01T00:00:00Z", "due_at__lt": "2030-01-02T00:00:00Z", "status__in": "done"}, 3),
    ],
)
def test_filters_select(lister: tuple[Caller, list[dict[str, Any]]], query: dict[str, str], count: int) -> None:
    found = list(pages(lister[0], **query))
    assert len(found) == len({task["id"] for task in found}) == count


def test_a_list_is_the_callers_own(lister: tuple[Caller, list[dict[str, Any]]], bob: Caller, boss: Caller) -> None:
    """Others' tasks are for admins."""
    assert {task["owner_id"] for task in pages(bob)} <= {bob.id}
    assert_problem(bob.get("/tasks", params={"scope": "all"}), 403)
    bob.task()
    owners = {task["owner_id"] for task in pages(boss, limit=100, scope="all")}
    assert {lister[0].id, bob.id} <= owners


def test_a_cursor_is_of_use_for_its_list_alone(lister: tuple[Caller, list[dict[str, Any]]], bob: Caller) -> None:
    """Neither changed, nor with another filter, nor by somebody else."""
    who = lister[0]
    cursor = ok(who.get("/tasks", params={"limit": 1}))["pagination"]["next_cursor"]

    assert ok(who.get("/tasks", params={"cursor": cursor, "limit": 2}))["data"]
    for caller, query in (
        (who, {"cursor": cursor, "status": "done"}),
        (who, {"cursor": cursor, "sort": "id"}),
        (who, {"cursor": cursor[:-1] + ("A" if cursor[-1] != "A" else "B")}),
        (bob, {"cursor": cursor}),
    ):
        answer = caller.get("/tasks", params=query)
        assert_problem(answer, 422)
        assert answer.json()["code"] == "invalid_cursor"


def test_a_page_links_to_the_next(lister: tuple[Caller, list[dict[str, Any]]]) -> None:
    who = lister[0]
    page = who.get("/tasks", params={"limit": 2, "status": "done"})
    links = ok(page)["links"]

    assert page.headers["Link"] == f'<{links["next"]}>; rel="next"'
    following = ok(who.call("GET", links["next"].removeprefix("/api/v1")))
    assert not {task["id"] for task in following["data"]} & {task["id"] for task in page.json()["data"]}


def test_a_repeated_write_with_its_key_is_made_once(ada: Caller, db: Db) -> None:
    """The first answer is sent again, to the letter."""
    key = {"Idempotency-Key": str(ObjectId())}
    body = {"title": f"once {key['Idempotency-Key']}"}

    first = ada.post("/tasks", body, headers=key)
    second = ada.post("/tasks", body, headers=key)

    assert ok(first, 201) == ok(second, 201)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert [second.headers[name] for name in ("ETag", "Location")] == [first.headers[n] for n in ("ETag", "Location")]
    assert db["tasks"].count_documents({"title": body["title"]}) == 1


def test_a_repeated_write_is_answered_though_what_it_names_has_gone(api: Services, ada: Caller) -> None:
    """Its answer is kept for 24 hours; the assignee is not."""
    gone, key = sign_up(api.url), {"Idempotency-Key": str(ObjectId())}
    body = {"title": "a", "assignee_id": gone.id}
    first = ada.post("/tasks", body, headers=key)
    ok(gone.delete("/me", match="*"), 204)

    assert ok(ada.post("/tasks", body, headers=key), 201) == ok(first, 201)
    assert_problem(ada.post("/tasks", body), 422)


def test_a_key_is_good_for_one_request_of_one_caller(ada: Caller, bob: Caller) -> None:
    key = {"Idempotency-Key": str(ObjectId())}
    ok(ada.post("/tasks", {"title": "a"}, headers=key), 201)

    answer = ada.post("/tasks", {"title": "b"}, headers=key)
    assert_problem(answer, 422)
    assert answer.json()["code"] == "idempotency_key_reused"
    assert "Idempotent-Replayed" not in bob.post("/tasks", {"title": "a"}, headers=key).headers


def test_a_refused_write_keeps_no_key(ada: Caller) -> None:
    """It may be mended and tried again."""
    path, key = f"/tasks/{ada.task()['id']}", {"Idempotency-Key": str(ObjectId())}

    assert_problem(ada.patch(path, {"title": "x"}, match='"9"', headers=key), 412)
    assert ok(ada.patch(path, {"title": "x"}, match='"1"', headers=key))["version"] == 2
    replayed = ada.patch(path, {"title": "x"}, match='"1"', headers=key)
    assert ok(replayed)["version"] == 2
    assert replayed.headers["Idempotent-Replayed"] == "true"
    deleted = {"Idempotency-Key": str(ObjectId())}
    for _ in range(2):
        assert ada.delete(path, match='"2"', headers=deleted).status_code == 204


def test_of_many_at_once_with_one_key_one_writes(ada: Caller, db: Db) -> None:
    """The others are told to wait, or get its answer."""
    key = {"Idempotency-Key": str(ObjectId())}
    body = {"title": f"once {key['Idempotency-Key']}"}

    answers = at_once([lambda: ada.post("/tasks", body, headers=key) for _ in range(12)])

    assert set(statuses(answers)) <= {201, 409}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    assert db["tasks"].count_documents({"title": body["title"]}) == 1
    assert ok(ada.post("/tasks", body, headers=key), 201)


def test_statistics_count_the_callers_tasks(lister: tuple[Caller, list[dict[str, Any]]], boss: Caller) -> None:
    who, tasks = lister
    stats = ok(who.get("/stats", params={"tz": "Europe/Berlin"}))

    assert stats["total"] == len(tasks)
    assert stats["by_status"] == {"pending": 12, "in_progress": 12, "done": 12, "cancelled": 12}
    assert stats["by_priority"] == {"1": 16, "2": 0, "3": 16, "4": 0, "5": 16}
    assert stats["overdue"] == 0
    assert sum(stats["done_per_day"].values()) == 12
    newer = who.get("/stats", params={"tz": "America/Coyhaique"})
    if newer.status_code != 200:
        assert_problem(newer, 422)
    assert_problem(who.get("/stats", params={"scope": "all"}), 403)
    assert ok(boss.get("/stats", params={"scope": "all"}))["total"] >= len(tasks)


def test_statistics_without_a_token_count_the_models(api: Services) -> None:
    """And say their age."""
    stats = ok(Caller(api.url).get("/stats"))

    assert {"users", "tasks", "projects", "events", "age_s", "counted_at"} <= set(stats)
    assert stats["count_kind"] == "estimated"
    assert ok(Caller(api.url).get("/status")) == {"status": "ok"}
    assert_problem(Caller(api.url, {"Authorization": "Bearer x"}).get("/stats"), 401)

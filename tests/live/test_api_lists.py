"""What lists cost and what they can be asked: every admitted combination of filter and sort is explained."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from math import prod
from typing import Any

import pytest
from api_support import Caller, assert_problem, ok, sign_up
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from two_routers import Door, door, newcomer, token_of

from api.schemas.tasks import TASK_FILTERS
from api.store.explained import NOT_EXPLAINED
from cluster.local import LocalCluster
from cluster.roles import ADMIN
from cluster.run.services import ADMIN_USERNAME, Services

LIMIT = 25
HEAVY, OTHERS = 3_000, 600
DAWN = datetime(2030, 1, 1, tzinfo=UTC)
MIDDAY = (DAWN + timedelta(days=15)).isoformat().replace("+00:00", "Z")
# Skewed: one status is nearly all there is, and one is rare.
STATUSES = ("done",) * 90 + ("pending",) * 6 + ("in_progress",) * 3 + ("cancelled",)


@dataclass(frozen=True)
class Heavy:
    """Somebody with thousands of tasks, who are also assigned to them, and an admin; and the database to explain in."""

    owner: Door
    boss: Door
    db: Database[dict[str, Any]]


@pytest.fixture(scope="module")
def heavy(cluster: LocalCluster, api: Services) -> Iterator[Heavy]:
    chance = random.Random(7)
    with door(cluster, 0) as found, MongoClient[dict[str, Any]](cluster.uri(ADMIN), tz_aware=True) as client:
        owner = replace(found, headers=newcomer(found))
        owner_id = ObjectId(owner.call("GET", "/me").get_json()["id"])
        boss = replace(found, headers=token_of(found, ADMIN_USERNAME, api.admin_password))
        db = client[cluster.database]
        tasks = [task(chance, owner_id, owner_id) for _ in range(HEAVY)]
        tasks += [task(chance, ObjectId(), owner_id if n % 3 else None) for n in range(OTHERS)]
        db["tasks"].insert_many(tasks, ordered=False)
        yield Heavy(owner, boss, db)
        db["tasks"].delete_many({"request_id": "skewed"})


def task(chance: random.Random, owner_id: ObjectId, assignee_id: ObjectId | None) -> dict[str, Any]:
    """Half have no due date; of the others half are due at the same time."""
    day = 14 if chance.random() < 0.5 else chance.randrange(30)
    due_at = DAWN + timedelta(days=day) if chance.random() < 0.5 else None
    at = datetime.now(UTC)
    return {
        "_id": ObjectId(),
        "owner_id": owner_id,
        "title": f"Task {chance.randrange(1000)}",
        "description": "",
        "status": chance.choice(STATUSES),
        "priority": chance.choice((3, 3, 3, 3, 3, 3, 1, 2, 4, 5)),
        "position": None,
        "due_at": due_at,
        "assignee_id": assignee_id,
        "project_id": None,
        "tags": [],
        "completed_at": None,
        "created_at": at,
        "updated_at": at,
        "updated_by": None,
        "request_id": "skewed",
        "version": 1,
    }


STATUS = (
    {},
    {"status": "done"},
    {"status": "cancelled"},
    {"status__neq": "done"},
    {"status__in": "pending,cancelled"},
)
DUE = (
    {},
    {"due_at__gte": MIDDAY},
    {"due_at__lt": MIDDAY},
    {"due_at__gt": "2030-01-05T00:00:00Z", "due_at__lte": MIDDAY},
    {"due_at__exists": "true"},
    {"due_at__exists": "false"},
    {"due_at__exists": "true", "due_at__lt": MIDDAY},
)
PRIORITY = (
    {},
    {"priority": "1"},
    {"priority": "3"},
    {"priority__neq": "3"},
    {"priority__in": "1,5"},
    {"priority__gt": "3"},
    {"priority__lte": "2"},
    {"priority__gte": "2", "priority__lt": "5"},
)
RANGES: Mapping[str, tuple[dict[str, str], ...]] = {"id": ({},), "due_at": DUE, "priority": PRIORITY}
SORTS = {"mine": ("id", "due_at", "priority"), "assigned": ("due_at",), "all": ("due_at",)}
COMBINATIONS = [
    pytest.param(scope, sign + sort, id=f"{scope} {sign}{sort}")
    for scope, sorts in SORTS.items()
    for sort, sign in product(sorts, ("", "-"))
]


def test_every_filter_is_in_these_combinations() -> None:
    """A filter or operator that is added is explained here too. `like` has a test of its own."""
    told = {name for asked in (*STATUS, *DUE, *PRIORITY) for name in asked}
    listed = {each.field if op == "eq" else f"{each.field}__{op}" for each in TASK_FILTERS for op in each.operators}
    assert listed - told == {"title__like"}


@pytest.mark.parametrize(("scope", "sort"), COMBINATIONS)
def test_a_list_reads_no_more_than_it_shows(heavy: Heavy, scope: str, sort: str) -> None:
    """No sort in memory, and at most 3 x limit keys and one for each branch; beyond an offset, that too."""
    caller = heavy.boss if scope == "all" else heavy.owner
    too_much: list[Any] = []
    for status, ranged in product(STATUS, RANGES[sort.lstrip("-")]):
        query = {**status, **ranged, "scope": scope, "sort": sort, "limit": LIMIT}
        later = [{"cursor": cursor} if cursor else {} for cursor in cursors(caller, query)]
        for place in (*later, {"offset": 40}, {"offset": 400}):
            answer = caller.call("GET", "/tasks", **query, **place, **({"count": "none"} if "offset" in place else {}))
            assert answer.status_code == 200, answer.text
            named = [each for each in caller.recorder.commands if each["comment"].startswith("tasks.list")]
            assert named or "offset" in place
            too_much += [(query, place, why) for each in named for why in faults(heavy.db, each)]
    assert not too_much, f"{len(too_much)} of them, such as {too_much[:5]}"


def cursors(caller: Door, query: Mapping[str, Any]) -> Iterator[str | None]:
    """None for the first page, then of some later ones: where nulls end and values begin is a page of its own."""
    cursor = None
    for page in range(60):
        if page < 3 or page % 20 == 0:
            yield cursor
        step = {"limit": LIMIT if page < 3 else 100}
        pagination = caller.call(
            "GET", "/tasks", **{**query, **step}, **({"cursor": cursor} if cursor else {})
        ).get_json()["pagination"]
        if pagination["next_cursor"] is None:
            break
        cursor = pagination["next_cursor"]


def faults(db: Database[dict[str, Any]], command: Mapping[str, Any], documents: int = LIMIT) -> list[str]:
    """What is wrong with how a command is carried out, shard by shard, that may look at so many documents."""
    plain = {name: value for name, value in command.items() if name not in NOT_EXPLAINED}
    explained = db.command("explain", plain, verbosity="executionStats")
    most = 3 * (documents + command.get("skip", 0)) + branches(command["filter"])
    found = []
    for shard in explained["executionStats"]["executionStages"]["shards"]:
        if "SORT" in stages(shard["executionStages"]):
            found.append("sorts in memory")
        if shard["totalKeysExamined"] > most:
            found.append(f"{shard['totalKeysExamined']} keys, not {most}")
    return found


def branches(filter_: Any) -> int:
    """In how many pieces the values of a filter's `$in` and `$or` cut an index."""
    if isinstance(filter_, list):
        return prod(branches(each) for each in filter_)
    if not isinstance(filter_, dict):
        return 1
    own = len(filter_.get("$in", ())) or len(filter_.get("$or", ())) or 1
    return own * prod(branches(value) for name, value in filter_.items() if name not in ("$in", "$or"))


def stages(plan: Any) -> set[str]:
    """The names of a plan's stages."""
    if isinstance(plan, list):
        return set().union(*map(stages, plan))
    if not isinstance(plan, dict):
        return set()
    return {plan["stage"], *stages(list(plan.values()))} if "stage" in plan else stages(list(plan.values()))


def test_a_text_is_looked_for_among_ones_own_tasks(heavy: Heavy) -> None:
    """At most those are read; letter by letter, in whichever case."""
    answer = heavy.owner.call("GET", "/tasks", title__like="tASK 77", limit=LIMIT)
    command = heavy.owner.named("tasks.list_tasks_of_owner")
    explained = heavy.db.command(
        "explain",
        {name: value for name, value in command.items() if name not in NOT_EXPLAINED},
        verbosity="executionStats",
    )

    assert answer.get_json()["data"]
    assert all(task["title"].startswith("Task 77") for task in answer.get_json()["data"])
    assert explained["executionStats"]["totalKeysExamined"] <= HEAVY
    assert "SORT" not in stages(explained["executionStats"])
    for text in (".*", "Task.7", "^Task", "$", "a{1,99999}", "(a+)+$", "\\"):
        assert heavy.owner.call("GET", "/tasks", title__like=text).get_json()["data"] == [], text
    assert_problem(heavy.boss.call("GET", "/tasks", title__like="x", scope="all"), 422)


SEARCHES: tuple[dict[str, Any], ...] = (
    {"field": "title", "operator": "like", "value": "TASK 77"},
    {"field": "status", "operator": "eq", "value": "cancelled"},
    {"field": "status", "operator": "in", "value": ["done", "pending"]},
    {"field": "priority", "operator": "in", "value": [1, 5]},
    {"field": "priority", "operator": "eq", "value": 2},
    {"field": "priority", "operator": "neq", "value": 3},
    {"field": "due_at", "operator": "eq", "value": MIDDAY},
    {"field": "due_at", "operator": "gte", "value": MIDDAY},
    {"field": "due_at", "operator": "exists", "value": False},
    {"field": "assignee_id", "operator": "exists", "value": True},
    {"field": "tags", "operator": "eq", "value": "x"},
)


@pytest.mark.parametrize("sort", ["id", "-id", "due_at", "-due_at", "priority", "-priority"])
@pytest.mark.parametrize("condition", ["AND", "OR"])
def test_a_search_reads_ones_own_tasks_at_most(heavy: Heavy, sort: str, condition: str) -> None:
    """Each once at most and in order, so that nothing is sorted: every rule alone, and with the next one."""
    too_much: list[Any] = []
    for scope in ("mine", "assigned") if sort.lstrip("-") == "due_at" else ("mine",):
        for first, second in zip(SEARCHES, (*SEARCHES[1:], SEARCHES[0]), strict=True):
            filters = {"condition": condition, "rules": [first, {"condition": "AND", "rules": [second]}]}
            for rules in ({"condition": condition, "rules": [first]}, filters):
                body = {"filters": rules, "sort": sort, "limit": LIMIT, "scope": scope}
                answer = heavy.owner.call("POST", "/tasks/search", body)
                assert answer.status_code == 200, answer.text
                comments = ("tasks.search_tasks_of_owner", "tasks.list_tasks_of_assignee")
                named = [each for each in heavy.owner.recorder.commands if each["comment"] in comments]
                assert named
                too_much += [(body, why) for each in named for why in faults(heavy.db, each, HEAVY + OTHERS)]
    assert not too_much, f"{len(too_much)} of them, such as {too_much[:5]}"


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    """Somebody with 12 tasks."""
    who = sign_up(api.url)
    for number in range(12):
        day = f"2030-01-{number + 1:02}T00:00:00Z"
        who.task(title=f"t{number}", due_at=day, status="done" if number % 3 == 0 else "pending")
    return who


def test_a_list_can_be_paged_by_offset(ada: Caller) -> None:
    """For data providers: all the headers that they read."""
    page = ada.get("/tasks", params={"offset": 5, "limit": 5, "sort": "due_at"})
    body = ok(page)

    assert [task["title"] for task in body["data"]] == ["t5", "t6", "t7", "t8", "t9"]
    assert (page.headers["X-Total-Count"], page.headers["Content-Range"]) == ("12", "tasks 5-9/12")
    assert body["pagination"] == {
        "limit": 5,
        "next_cursor": None,
        "has_more": True,
        "offset": 5,
        "total": 12,
        "total_kind": "exact",
    }
    following = ok(ada.call("GET", body["links"]["next"].removeprefix("/api/v1")))
    assert [task["title"] for task in following["data"]] == ["t10", "t11"]
    assert following["links"]["next"] is None
    assert 'rel="next"' in page.headers["Link"] and 'rel="prev"' in page.headers["Link"]
    empty = ada.get("/tasks", params={"offset": 10_000})
    assert (ok(empty)["data"], empty.headers["Content-Range"]) == ([], "tasks */12")


def test_pages_by_offset_and_by_cursor_agree(heavy: Heavy) -> None:
    """Nulls included, both ways; where the filter names values, those of each are passed over by themselves."""
    wanted = {"status__neq": "done"}
    named = {"priority__in": "1,5"}
    for sort, more in [(sort, wanted) for sort in ("due_at", "-due_at", "priority", "-id")] + [
        ("priority", named),
        ("-priority", named),
        ("-priority", {"priority__neq": "3", "status__in": "done,pending"}),
    ]:
        by_offset: list[str] = []
        by_cursor: list[str] = []
        cursor = None
        for offset in (0, 100, 200):
            page = heavy.owner.call("GET", "/tasks", sort=sort, offset=offset, limit=100, **more)
            by_offset += [each["id"] for each in page.get_json()["data"]]
            query = {"cursor": cursor} if cursor else {}
            page = heavy.owner.call("GET", "/tasks", sort=sort, limit=100, **more, **query)
            by_cursor += [each["id"] for each in page.get_json()["data"]]
            cursor = page.get_json()["pagination"]["next_cursor"]
        assert by_offset == by_cursor, (sort, more)
        assert len(by_offset) > 100, (sort, more)


def test_a_list_says_how_its_total_is_known(ada: Caller, heavy: Heavy) -> None:
    """Not at all, to the last one, roughly, or at least."""
    assert "total" not in ok(ada.get("/tasks"))["pagination"]
    counted = ok(ada.get("/tasks", params={"count": "exact", "status": "done"}))["pagination"]
    assert (counted["total"], counted["total_kind"]) == (4, "exact")
    rough = heavy.owner.call("GET", "/tasks", count="estimated").get_json()["pagination"]
    assert (rough["total"], rough["total_kind"]) == (1000, "at_least")
    everything = heavy.boss.call("GET", "/tasks", count="estimated", scope="all").get_json()["pagination"]
    assert everything["total_kind"] == "estimated"
    assert everything["total"] >= HEAVY


def test_only_the_wanted_fields_are_shown(ada: Caller) -> None:
    found = ok(ada.get("/tasks", params={"fields": "title,status", "limit": 1}))["data"]
    assert [set(each) for each in found] == [{"id", "title", "status"}]


def test_many_tasks_are_fetched_by_their_ids(ada: Caller, api: Services) -> None:
    """In the order asked for; what is gone or not theirs to see is left out."""
    bob = sign_up(api.url)
    mine, shared, hidden = ada.task(title="a"), bob.task(title="b", assignee_id=ada.id), bob.task(title="c")
    ids = [shared["id"], mine["id"], hidden["id"], "A" * 32, mine["id"]]

    found = ok(ada.get("/tasks", params={"id": ids, "fields": "title"}))

    assert [each["title"] for each in found["data"]] == ["b", "a"]
    assert found["pagination"]["has_more"] is False


def test_tasks_assigned_to_somebody(ada: Caller, api: Services, heavy: Heavy) -> None:
    """`me` is the scope `assigned`; others' are for admins."""
    bob = sign_up(api.url)
    bob.task(title="for ada", assignee_id=ada.id)

    titles = [each["title"] for each in ok(ada.get("/tasks", params={"assignee_id": "me"}))["data"]]
    assert "for ada" in titles
    assert_problem(bob.get("/tasks", params={"assignee_id": ada.id}), 403)
    answer = heavy.boss.call("GET", "/tasks", assignee_id=ada.id, count="exact")
    assert [each["title"] for each in answer.get_json()["data"]] == titles


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"offset": "10001"}, "/offset"),
        ({"offset": "-1"}, "/offset"),
        ({"offset": "x"}, "/offset"),
        ({"offset": "1", "cursor": "x"}, "/offset"),
        ({"count": "all"}, "/count"),
        ({"fields": "title,password"}, "/fields/1"),
        ({"fields": ""}, "/fields/0"),
        ({"fields": "owner_id.x"}, "/fields/0"),
        ({"id": "x"}, "/id/0"),
        ({"id": ["A" * 32, "$ne"]}, "/id/1"),
        ({"id": ["A" * 32] * 101}, "/id"),
        ({"id": "A" * 32, "status": "done"}, "/status"),
        ({"id": "A" * 32, "sort": "id"}, "/sort"),
        ({"title__like": ""}, "/title__like"),
        ({"title__like": "x" * 101}, "/title__like"),
        ({"title__like": "x", "scope": "assigned"}, "/title__like"),
        ({"title": "x"}, "/title"),
        ({"title__regex": "x"}, "/title__regex"),
        ({"assignee_id": "you"}, "/assignee_id"),
        ({"assignee_id": "me", "scope": "all"}, "/assignee_id"),
        ({"limit": ["1", "2"]}, "/limit"),
    ],
)
def test_bad_questions_name_the_parameter(ada: Caller, query: dict[str, Any], pointer: str) -> None:
    """Nothing is clamped, guessed or passed over."""
    answer = ada.get("/tasks", params=query)

    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

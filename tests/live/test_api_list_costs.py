"""What the lists of events, projects, reminders and people cost, and those of a project's tasks, on skewed data."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from test_api_lists import DUE, LIMIT, MIDDAY, STATUS, faults, task
from two_routers import Door, door, newcomer, token_of

from api.ids import public_id
from api.schemas.accounts import USER_FILTERS
from api.schemas.events import EVENT_FILTERS
from api.schemas.filters import parameter
from api.schemas.projects import PROJECT_FILTERS
from api.schemas.reminders import REMINDER_FILTERS
from api.store.explained import NOT_EXPLAINED
from cluster.local import LocalCluster
from cluster.roles import ADMIN
from cluster.run.services import ADMIN_USERNAME, Services

Documents = list[dict[str, Any]]

MANY, OTHERS = 1_500, 500
TASK_OWNER_ID, TASK_ID = ObjectId(), ObjectId()
DAWN = datetime(2030, 1, 1, tzinfo=UTC)
STAMPS = {"created_at": DAWN, "updated_at": DAWN, "updated_by": None, "request_id": "skewed", "version": 1}
# Nearly everything that somebody takes part in is archived.
ARCHIVED = ("archived",) * 95 + ("active",) * 5


@dataclass(frozen=True)
class Crowd:
    """Somebody with a lot of everything, an admin, a project with a lot of tasks; and the database to explain in."""

    owner: Door
    boss: Door
    db: Database[dict[str, Any]]
    project_id: ObjectId


@pytest.fixture(scope="module")
def crowd(cluster: LocalCluster, api: Services) -> Iterator[Crowd]:
    with door(cluster, 0) as found, MongoClient[dict[str, Any]](cluster.uri(ADMIN), tz_aware=True) as client:
        owner = replace(found, headers=newcomer(found))
        owner_id = ObjectId(owner.call("GET", "/me").get_json()["id"])
        boss = replace(found, headers=token_of(found, ADMIN_USERNAME, api.admin_password))
        db, made = client[cluster.database], documents(owner_id)
        for name, each in made.items():
            db[name].insert_many(each, ordered=False)
        yield Crowd(owner, boss, db, made["projects"][0]["_id"])
        for name in made:
            db[name].delete_many({"request_id": "skewed"})


def documents(owner_id: ObjectId) -> dict[str, Documents]:
    """What there is of each collection."""
    chance, projects = random.Random(7), [project(n, owner_id) for n in range(MANY)]
    owners = [owner_id] * MANY + [ObjectId() for _ in range(OTHERS)]
    tasks = [{**task(chance, ObjectId(), None), "project_id": projects[0]["_id"]} for _ in range(MANY)]
    tasks += [{**task(chance, ObjectId(), None), "project_id": ObjectId()} for _ in range(OTHERS)]
    return {
        "projects": projects,
        "tasks": tasks,
        "events": [event(chance, each) for each in owners],
        "reminders": [reminder(chance, each) for each in owners],
        "users": [user(chance, n) for n in range(MANY)],
    }


def project(number: int, person: ObjectId) -> dict[str, Any]:
    """A third is the person's, a third has the person as a member, a third is others'."""
    owner_id = person if number % 3 == 0 else ObjectId()
    members = [person] * (number % 3 == 1) + [ObjectId(), ObjectId()]
    own = {"_id": ObjectId(), "owner_id": owner_id, "member_ids": members, "status": ARCHIVED[number % 100]}
    return {**own, "name": "Garden", "description": "", **STAMPS}


def user(chance: random.Random, number: int) -> dict[str, Any]:
    """Nearly all are disabled members; half have the same display name."""
    username, name = f"zq{number:05}", "zq" if chance.random() < 0.5 else f"zq{chance.randrange(100)}"
    own = {"_id": ObjectId(), "username": username, "username_folded": username, "name": name, "name_folded": name}
    role, status = "admin" if number % 100 == 0 else "member", "active" if number % 5 == 0 else "disabled"
    never = {"last_login_at": None, "email_verified_at": None}
    rest = {"email": f"{username}@example.org", "time_zone": "UTC", "preferences": {}, "password_hash": "x"}
    return {**own, "role": role, "status": status, **rest, "token_version": 1, **never, **STAMPS}


def event(chance: random.Random, owner_id: ObjectId) -> dict[str, Any]:
    """Half of them at the same time."""
    starts_at = DAWN + timedelta(days=14 if chance.random() < 0.5 else chance.randrange(30))
    where = {"title": "", "venue": "", "address": ""}
    return {"_id": ObjectId(), "owner_id": owner_id, "starts_at": starts_at, "ends_at": None, **where, **STAMPS}


def reminder(chance: random.Random, owner_id: ObjectId) -> dict[str, Any]:
    """Nearly all are done; half are due no more, of the others half at the same time; a third are of one task."""
    task_id = TASK_ID if chance.random() < 0.3 else ObjectId()
    own = {"_id": ObjectId(), "owner_id": owner_id, "task_owner_id": TASK_OWNER_ID, "task_id": task_id, "runs": 0}
    next_run_at = event(chance, owner_id)["starts_at"] if chance.random() < 0.5 else None
    when = {"schedule": {"kind": "once", "at": DAWN}, "next_run_at": next_run_at, "last_run_at": None}
    state = chance.choice(("done",) * 17 + ("waiting", "leased", "failed"))
    return {**own, **when, "state": state, "lease_id": None, "lease_until": None, **STAMPS}


BOTH_WAYS = ("", "-")
STARTS = (
    {},
    {"starts_at__gte": MIDDAY},
    {"starts_at__lt": MIDDAY},
    {"starts_at__gt": "2030-01-05T00:00:00Z", "starts_at__lte": MIDDAY},
)
PROJECT_STATUS = (
    {},
    {"status": "active"},
    {"status": "archived"},
    {"status__neq": "archived"},
    {"status__in": "active,archived"},
)
WHICH_USERS = (
    {},
    {"role": "admin"},
    {"role__neq": "member"},
    {"role__in": "member,admin"},
    {"status": "active"},
    {"status__neq": "disabled"},
    {"status__in": "active,disabled"},
)

STATE = ({}, {"state": "done"}, {"state": "failed"}, {"state__neq": "done"}, {"state__in": "waiting,failed"})
NEXT = tuple({name.replace("due_at", "next_run_at"): value for name, value in each.items()} for each in DUE)
OF_TASK = ({}, {"task_id": public_id(TASK_OWNER_ID, TASK_ID)})

CASES: list[tuple[str, dict[str, str]]] = [
    *(("/events", {"sort": f"{sign}id"}) for sign in BOTH_WAYS),
    *(
        ("/events", {**starts, "scope": scope, "sort": f"{sign}starts_at"})
        for scope, starts, sign in product(("mine", "all"), STARTS, BOTH_WAYS)
    ),
    *(
        ("/projects", {**status, "scope": scope, "sort": f"{sign}id"})
        for scope, status, sign in product(("mine", "owned", "all"), PROJECT_STATUS, BOTH_WAYS)
    ),
    *(("/reminders", {**task, "sort": f"{sign}id"}) for task, sign in product(OF_TASK, BOTH_WAYS)),
    *(
        ("/reminders", {**state, **due, "sort": f"{sign}next_run_at"})
        for state, due, sign in product(STATE, NEXT, BOTH_WAYS)
    ),
    *(("/users", {**which, "sort": f"{sign}created_at"}) for which, sign in product(WHICH_USERS, BOTH_WAYS)),
    *(
        ("/users/directory", {"q": "zq", "by": by, "sort": f"{sign}{by}"})
        for by, sign in product(("username", "name"), BOTH_WAYS)
    ),
    *(
        ("/projects/{}/tasks", {**status, **due, "sort": f"{sign}due_at"})
        for status, due, sign in product(STATUS, DUE, BOTH_WAYS)
    ),
    # The same list at another path.
    *(
        ("/tasks", {**due, "scope": "project", "project_id": "{}", "sort": f"{sign}due_at"})
        for due, sign in product(DUE, BOTH_WAYS)
    ),
]
PATHS = sorted({path for path, _ in CASES})


def test_every_filter_is_in_these_cases() -> None:
    """A filter or operator that is added is explained here too. `like` has a test of its own."""
    filters = {
        "/events": EVENT_FILTERS,
        "/projects": PROJECT_FILTERS,
        "/reminders": REMINDER_FILTERS,
        "/users": USER_FILTERS,
    }
    for path, allowed in filters.items():
        told = {name for each, query in CASES if each == path for name in query}
        listed = {parameter(each.field, operator) for each in allowed for operator in each.operators}
        assert listed - told <= {"name__like"}, path


@pytest.mark.parametrize("path", PATHS)
def test_a_list_reads_no_more_than_it_shows(crowd: Crowd, path: str) -> None:
    """No sort in memory, few keys: every filter and sort, on several pages and beyond an offset."""
    wrong: list[Any] = []
    asked, explained = [query for each, query in CASES if each == path], 0
    for number, query in enumerate(asked):
        caller = crowd.boss if query.get("scope") == "all" or path == "/users" else crowd.owner
        place = path.format(crowd.project_id)
        query = {name: value.format(crowd.project_id) for name, value in query.items()}
        for page in pages(caller, place, query, number):
            answer = caller.call("GET", place, limit=LIMIT, **query, **page)
            assert answer.status_code == 200, answer.text
            lists = [each for each in caller.recorder.commands if ".list_" in each["comment"]]
            # An offset may lie beyond what there is.
            assert lists or "offset" in page
            explained += len(lists)
            wrong += [(query, page, why) for each in lists for why in faults(crowd.db, each)]
    print(f"{path}: {explained} commands of {len(asked)} questions were explained")
    assert not wrong, f"{len(wrong)} of them, such as {wrong[:5]}"


def pages(caller: Door, place: str, query: dict[str, str], number: int) -> Iterator[dict[str, Any]]:
    """What to ask for besides: nothing, a cursor; of every third question an offset, of every fourth the end."""
    cursors: list[dict[str, Any]] = [{}]
    for limit in (LIMIT, *(100,) * 20 * (number % 4 == 0)):
        page = caller.call("GET", place, limit=limit, **query, **cursors[-1]).get_json()["pagination"]
        if page["next_cursor"] is None:
            break
        cursors.append({"cursor": page["next_cursor"]})
    yield from cursors[:2]
    if number % 3 == 0:
        yield {"offset": 60, "count": "none"}
    if len(cursors) > 2:
        yield cursors[-1]


def test_a_part_of_a_name_is_looked_for_among_ones_own_projects(crowd: Crowd) -> None:
    """At most those are read, in their order."""
    for scope, sort in product(("mine", "owned"), ("id", "-id")):
        answer = crowd.owner.call("GET", "/projects", name__like="ARD", scope=scope, sort=sort, limit=LIMIT)
        assert len(answer.get_json()["data"]) == LIMIT
        (command,) = [each for each in crowd.owner.recorder.commands if ".list_" in each["comment"]]
        assert faults(crowd.db, command, MANY) == [], (scope, sort)


@pytest.mark.parametrize("sort", ["id", "-id", "starts_at", "-starts_at"])
def test_a_search_of_events_sorts_nothing(crowd: Crowd, sort: str) -> None:
    """It reads the caller's own at most, in their order."""
    rules = [
        {"field": "title", "operator": "like", "value": "x"},
        {"field": "starts_at", "operator": "gte", "value": MIDDAY},
        {"field": "ends_at", "operator": "exists", "value": False},
    ]
    for found, condition in product((rules[:1], rules[1:2], rules[2:], rules), ("AND", "OR")):
        body = {"filters": {"condition": condition, "rules": found}, "sort": sort, "limit": LIMIT}
        assert crowd.owner.call("POST", "/events/search", body).status_code == 200
        assert faults(crowd.db, crowd.owner.named("events.search_events_of_owner"), MANY) == [], body


def test_page_10_000_costs_what_page_1_costs(crowd: Crowd) -> None:
    """In index keys, one event a page; by offset it costs all that is passed over."""
    who = replace(crowd.owner, headers=newcomer(crowd.owner))
    owner_id, chance = ObjectId(who.call("GET", "/me").get_json()["id"]), random.Random(7)
    crowd.db["events"].insert_many([event(chance, owner_id) for _ in range(10_001)], ordered=False)
    for sort in ("-id", "starts_at"):
        place: dict[str, Any] = {}
        for limit in (100,) * 99 + (99,):
            page = who.call("GET", "/events", sort=sort, limit=limit, **place).get_json()["pagination"]
            place = {"cursor": page["next_cursor"]}

        first, last = (keys_of(crowd, who, sort=sort, limit=1, **each) for each in ({}, place))

        assert 2 <= first <= last <= first + 3, (sort, first, last)
        assert keys_of(crowd, who, sort=sort, limit=1, offset=9_999, count="none") >= 9_999


def keys_of(crowd: Crowd, who: Door, **query: Any) -> int:
    """How many index keys a page of events takes, of one event that has another one after it."""
    page = who.call("GET", "/events", **query).get_json()
    assert len(page["data"]) == 1 and page["pagination"]["has_more"]
    sent = [each for each in who.recorder.commands if each["comment"] == "events.list_events_of_owner"]
    plain = [{name: value for name, value in each.items() if name not in NOT_EXPLAINED} for each in sent]
    explained = [crowd.db.command("explain", each, verbosity="executionStats") for each in plain]
    return sum(each["executionStats"]["totalKeysExamined"] for each in explained)

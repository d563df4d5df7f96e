"""The audit trail as admins read it: filters, pages, what they cost, and who may. On a real cluster."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from api_support import Caller, assert_problem, ok, sign_up
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from support import Login
from test_api_audit import MAKERS, Db, item_id
from test_api_lists import LIMIT, faults
from two_routers import Door, door, token_of

from api.schemas.audit import ALL_ACTIONS, AUDIT_FILTERS
from cluster.local import LocalCluster
from cluster.roles import ADMIN
from cluster.run.services import ADMIN_USERNAME, Services

MANY = 2_000
# Before anything that other tests do, and young enough not to expire.
DAWN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=300)
MIDDAY = (DAWN + timedelta(hours=12)).isoformat().replace("+00:00", "Z")
NIGHT = (DAWN + timedelta(days=1)).isoformat().replace("+00:00", "Z")
BUSY, SEEN = ObjectId(), ObjectId()


@pytest.fixture(scope="module")
def boss(api: Services, admin: Login) -> Caller:
    """The first administrator."""
    return Caller(api.url, admin.headers)


@pytest.fixture(scope="module")
def trail(cluster: LocalCluster, api: Services) -> Iterator[tuple[Door, Database[dict[str, Any]]]]:
    """An admin and a database, whose trail is nearly all one person's, of one action, on one document; half of it has
    the same time."""
    chance = random.Random(7)
    with door(cluster, 0) as found, MongoClient[dict[str, Any]](cluster.uri(ADMIN), tz_aware=True) as client:
        audit = client[cluster.database]["audit"]
        audit.insert_many([entry(chance) for _ in range(MANY)], ordered=False)
        headers = token_of(found, ADMIN_USERNAME, api.admin_password)
        yield replace(found, headers=headers), client[cluster.database]
        audit.delete_many({"request_id": "skewed"})


def entry(chance: random.Random) -> dict[str, Any]:
    is_usual = chance.random() < 0.95
    action = "task.update" if is_usual else chance.choice(("task.delete", "auth.login", "project.update"))
    resource = {"task": "tasks", "auth": "users", "project": "projects"}[action.partition(".")[0]]
    minutes = 720 if chance.random() < 0.5 else chance.randrange(1440)
    return {
        "_id": ObjectId(),
        "at": DAWN + timedelta(minutes=minutes),
        "actor_id": BUSY if is_usual else ObjectId(),
        "action": action,
        "resource": resource,
        "resource_id": SEEN if is_usual else ObjectId(),
        "request_id": "skewed",
        "ok": True,
    }


WHAT: tuple[dict[str, str], ...] = (
    {},
    {"actor_id": str(BUSY)},
    {"actor_id": str(ObjectId())},
    {"action": "task.update"},
    {"action": "auth.login"},
    {"action__in": "task.delete,project.update,auth.logout"},
    {"resource": "tasks"},
    {"resource": "users"},
    {"resource_id": str(SEEN)},
    {"resource_id": str(SEEN), "resource": "tasks"},
)
# All but the first end before what other tests do.
WHEN: tuple[dict[str, str], ...] = (
    {},
    {"at__lt": NIGHT},
    {"at__gte": MIDDAY, "at__lt": NIGHT},
    {"at__gt": MIDDAY, "at__lte": NIGHT},
    {"at__lte": MIDDAY},
)


def test_every_filter_is_in_these_combinations() -> None:
    """A filter or operator that is added is explained here too."""
    told = {name for asked in (*WHAT, *WHEN) for name in asked}
    listed = {each.field if op == "eq" else f"{each.field}__{op}" for each in AUDIT_FILTERS for op in each.operators}
    assert listed == told


@pytest.mark.parametrize("sort", ["-at", "at"])
def test_a_page_reads_no_more_than_it_shows(trail: tuple[Door, Database[dict[str, Any]]], sort: str) -> None:
    """No sort in memory, few keys, whatever is asked: the first pages, each way; and every entry is shown once."""
    caller, db = trail
    wrong: list[Any] = []
    for what, when in product(WHAT, WHEN):
        query, cursor, seen = {**what, **when, "sort": sort, "limit": LIMIT}, None, []
        for _ in range(3):
            answer = caller.call("GET", "/audit", **query, **({"cursor": cursor} if cursor else {}))
            assert answer.status_code == 200, answer.text
            named = [each for each in caller.recorder.commands if each["comment"] == "audit.list_entries"]
            assert named
            wrong += [(query, why) for each in named for why in faults(db, each)]
            seen += [(each["at"], each["id"]) for each in answer.get_json()["data"]]
            cursor = answer.get_json()["pagination"]["next_cursor"]
            if cursor is None:
                break
        assert seen == sorted(set(seen), reverse=sort == "-at"), query
    assert not wrong, f"{len(wrong)} of them, such as {wrong[:5]}"


@pytest.mark.parametrize("number", range(len(WHAT)))
def test_filters_find_what_they_say(trail: tuple[Door, Database[dict[str, Any]]], number: int) -> None:
    """As many as the database has, page by page."""
    caller, db = trail
    what, found, cursor = WHAT[number], 0, None
    while found == 0 or cursor:
        page = caller.call("GET", "/audit", **what, at__lt=NIGHT, limit=100, **({"cursor": cursor} if cursor else {}))
        found += len(page.get_json()["data"])
        cursor = page.get_json()["pagination"]["next_cursor"]
        if cursor is None:
            break

    names = {"action__in": "action"}
    values = {"actor_id": ObjectId, "resource_id": ObjectId, "action__in": lambda text: {"$in": text.split(",")}}
    wanted = {names.get(name, name): values.get(name, str)(value) for name, value in what.items()}
    expected = db["audit"].count_documents({**wanted, "at": {"$lt": DAWN + timedelta(days=1)}})
    assert found == expected
    counted = caller.call("GET", "/audit", **what, at__lt=NIGHT, count="exact", limit=1).get_json()["pagination"]
    assert (counted["total"], counted["total_kind"]) == (expected, "exact")


@pytest.mark.parametrize(
    "query",
    [
        {"actor_id": "0" * 24, "action": "task.update"},
        {"actor_id": "0" * 24, "resource_id": "0" * 24},
        {"resource": "tasks", "action": "task.update"},
        {"action": "task.explode"},
        {"action": '{"$ne": ""}'},
        {"resource": "sessions"},
        {"resource_id": "x"},
        {"resource_id": "0" * 32 + "!"},
        {"at": "2026-01-01T00:00:00Z"},
        {"ok": "false"},
        {"sort": "actor_id"},
        {"cursor": "x"},
    ],
)
def test_what_no_index_serves_is_refused(boss: Caller, query: dict[str, str]) -> None:
    assert_problem(boss.get("/audit", params=query), 422)


@pytest.mark.parametrize("noun", MAKERS)
def test_an_entry_is_found_by_the_id_that_clients_know(api: Services, boss: Caller, noun: str) -> None:
    """And shows it so, after the document has gone."""
    ada = sign_up(api.url)
    path = MAKERS[noun](ada)
    shown_id = path.rpartition("/")[2]
    ok(ada.delete(path), 204)

    page = ok(boss.get("/audit", params={"resource_id": shown_id, "resource": f"{noun}s"}))

    found = {each["action"]: each for each in page["data"]}[f"{noun}.delete"]
    assert (found["resource_id"], found["actor_id"]) == (shown_id, ada.id)
    assert (found["before"]["version"], found["before"]["owner_id"]) == (1, ada.id)
    assert str(item_id(shown_id)) in (found["resource_id"], str(item_id(found["resource_id"])))


def test_an_admin_sees_what_became_of_an_account(api: Services, boss: Caller) -> None:
    """Newest first; some fields where that is asked."""
    who = sign_up(api.url)
    ok(who.post("/auth/logout"), 204)

    page = ok(boss.get("/audit", params={"resource": "users", "resource_id": who.id, "fields": "action,ok"}))

    told = [(each["action"], each["ok"]) for each in page["data"]]
    assert told == [("auth.logout", True), ("auth.login", True), ("user.create", True)]
    assert set(page["data"][0]) == {"id", "action", "ok"}
    own = ok(boss.get("/audit", params={"actor_id": who.id}))["data"]
    assert [each["action"] for each in own] == [action for action, _ in told]


def test_only_admins_read_the_trail(api: Services) -> None:
    assert_problem(sign_up(api.url).get("/audit"), 403)
    assert_problem(Caller(api.url).get("/audit"), 401)


def test_every_action_that_is_written_can_be_asked_for(db: Db) -> None:
    """All that the tests before this one have caused."""
    assert set(db["audit"].distinct("action")) <= set(ALL_ACTIONS)

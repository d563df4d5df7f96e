"""Lists: what may be asked, and where a page begins. That the pages are right is tested on real shards."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId

from api import task_lists
from api.auth import Principal
from api.cursors import Position
from api.errors import Problem
from api.paging import Scan, Sort, chosen_sort, collect, pinned, scans
from api.schemas.base import load
from api.schemas.filters import ANY_DATE, clauses
from api.schemas.tasks import TASK_FILTERS, TaskQuery
from cluster.collections import TASK_STATUSES

ID = ObjectId()
WHEN = datetime(2026, 1, 31, tzinfo=UTC)
MEMBER, ADMIN = Principal(ObjectId(), "member", "s", 0), Principal(ObjectId(), "admin", "s", 0)


def query(**given: str) -> dict[str, Any]:
    """A query string as it is read."""
    return load(TaskQuery(), given)


def test_the_first_page_is_one_scan() -> None:
    assert scans(Sort("due_at"), None, nullable=True) == [Scan([], [("due_at", 1), ("_id", 1)])]


@pytest.mark.parametrize(
    ("descending", "value", "expected"),
    [
        (False, WHEN, [[{"due_at": WHEN}, {"_id": {"$gt": ID}}], [{"due_at": {"$gt": WHEN}}]]),
        (
            True,
            WHEN,
            [
                [{"due_at": WHEN}, {"_id": {"$lt": ID}}],
                [{"due_at": {"$lt": WHEN}}],
                [{"due_at": None}],
            ],
        ),
        (False, None, [[{"due_at": None}, {"_id": {"$gt": ID}}], [{"due_at": ANY_DATE}]]),
        (True, None, [[{"due_at": None}, {"_id": {"$lt": ID}}]]),
    ],
)
def test_nulls_have_a_scan_of_their_own(descending: bool, value: Any, expected: list[Any]) -> None:
    """Comparisons see values of their own type only: nulls come first upwards, last downwards."""
    found = scans(Sort("due_at", descending), Position(value, ID), nullable=True)
    assert [scan.clauses for scan in found] == expected
    step = -1 if descending else 1
    for scan in found:
        is_of_equals = scan.clauses[0]["due_at"] in (None, WHEN)
        assert scan.spec == ([("_id", step)] if is_of_equals else [("due_at", step), ("_id", step)])


@pytest.mark.parametrize(
    ("descending", "after", "expected"),
    [
        (False, None, [[{"priority": 1}], [{"priority": 3}], [{"priority": 5}]]),
        (True, None, [[{"priority": 5}], [{"priority": 3}], [{"priority": 1}]]),
        (False, 3, [[{"priority": 3}, {"_id": {"$gt": ID}}], [{"priority": 5}]]),
        (True, 3, [[{"priority": 3}, {"_id": {"$lt": ID}}], [{"priority": 1}]]),
        (False, 5, [[{"priority": 5}, {"_id": {"$gt": ID}}]]),
    ],
)
def test_values_that_are_named_have_a_scan_each(descending: bool, after: int | None, expected: list[Any]) -> None:
    """By id: the server would sort by a field whose values it was given."""
    position = None if after is None else Position(after, ID)
    found = scans(Sort("priority", descending), position, False, [3, 1, 5])

    assert [scan.clauses for scan in found] == expected
    assert {tuple(scan.spec) for scan in found} == {(("_id", -1 if descending else 1),)}


@pytest.mark.parametrize(
    ("given", "rest", "values"),
    [
        ([{"status": "done"}], [{"status": "done"}], None),
        ([{"priority": 1}, {"status": "done"}], [{"status": "done"}], [1]),
        ([{"priority": {"$in": [1, 5]}}, {"priority": {"$gt": 3}}], [{"priority": {"$gt": 3}}], [1, 5]),
        ([{"priority": {"$in": [1, 5]}}, {"priority": 5}], [], [5]),
        ([{"priority": 1}, {"priority": 5}], [], []),
        ([{"priority": None}], [], [None]),
    ],
)
def test_filters_name_values(given: list[Any], rest: list[Any], values: list[Any] | None) -> None:
    assert pinned(given, "priority") == (rest, values)


def test_a_second_scan_reads_only_what_the_first_left_open() -> None:
    """Most pages cost one command."""
    asked: list[int] = []

    def read(clauses_: Any, sort: Any, limit: int) -> list[dict[str, Any]]:
        asked.append(limit)
        return [{"_id": ObjectId(), "due_at": WHEN}] * (2 if len(asked) == 1 else 1)

    page = collect(read, [], Sort("due_at", True), Position(WHEN, ID), limit=5, nullable=True)

    assert asked == [6, 4, 3]
    assert len(page.documents) == 4
    assert page.next_position is None


@pytest.mark.parametrize(
    ("given", "field", "descending"),
    [
        ({}, "_id", True),
        ({"order": "asc"}, "_id", False),
        ({"sort": "due_at"}, "due_at", False),
        ({"sort": "-due_at"}, "due_at", True),
        ({"sort": "priority", "order": "desc"}, "priority", True),
        ({"sort": "id"}, "_id", False),
    ],
)
def test_a_sort_has_a_direction(given: dict[str, str], field: str, descending: bool) -> None:
    assert chosen_sort(given, Sort("_id", True)) == Sort(field, descending)


def test_two_directions_are_refused() -> None:
    with pytest.raises(Problem):
        chosen_sort({"sort": "-due_at", "order": "asc"}, Sort("_id"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"status": "done"}, [{"status": "done"}]),
        ({"status__neq": "done"}, [{"status": {"$in": ["pending", "in_progress", "cancelled"]}}]),
        ({"status__in": "done,pending"}, [{"status": {"$in": ["pending", "done"]}}]),
        ({"status": "done", "status__neq": "done"}, [{"status": {"$in": []}}]),
        ({"priority__in": "1,2"}, [{"priority": {"$in": [1, 2]}}]),
        ({"priority__gt": "1", "priority__lte": "4"}, [{"priority": {"$in": [2, 3, 4]}}]),
        ({"due_at__exists": "false"}, [{"due_at": None}]),
        ({"due_at__gte": "2026-01-31T00:00:00Z"}, [{"due_at": {"$gte": WHEN}}]),
    ],
)
def test_a_filter_becomes_clauses(given: dict[str, str], expected: list[Any]) -> None:
    """Values are read by the field's own type, so none can be an operator."""
    assert clauses(TASK_FILTERS, query(**given)) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"status[$ne]": "done"},
        {"status__regex": "x"},
        {"status": "Done"},
        {"title": "x"},
        {"$where": "1"},
        {"priority": "six"},
        {"priority__in": ""},
        {"sort": "title"},
        {"sort": "--id"},
        {"limit": "0"},
        {"limit": "101"},
        {"due_at__gte": "2026-01-31"},
        {"due_at__exists": "maybe"},
    ],
)
def test_what_is_not_on_the_list_is_refused(given: dict[str, str]) -> None:
    """An allow-list of fields, operators, sorts and values; nothing is clamped."""
    with pytest.raises(Problem):
        load(TaskQuery(), given)


@pytest.mark.parametrize(
    ("given", "sort"),
    [
        ({}, Sort("_id", True)),
        ({"status": "done"}, Sort("_id", True)),
        ({"scope": "assigned"}, Sort("due_at")),
        ({"due_at__gte": "2026-01-31T00:00:00Z"}, Sort("due_at")),
        ({"priority": "1"}, Sort("priority")),
    ],
)
def test_a_list_has_the_sort_that_an_index_serves(given: dict[str, str], sort: Sort) -> None:
    assert task_lists.plan(MEMBER, query(**given)).sort == sort


@pytest.mark.parametrize(
    "given",
    [
        {"scope": "assigned", "sort": "id"},
        {"scope": "project"},
        {"project_id": "0" * 24},
        {"scope": "assigned", "priority": "1"},
        {"sort": "priority", "due_at__exists": "true"},
        {"sort": "id", "priority": "1"},
        {"due_at__exists": "true", "priority": "1"},
    ],
)
def test_a_list_that_no_index_serves_is_refused(given: dict[str, str]) -> None:
    """It would read a whole collection to show a page."""
    with pytest.raises(Problem) as refusal:
        task_lists.plan(MEMBER, query(**given))
    assert refusal.value.code == "invalid"


def test_an_absent_status_is_any_of_the_four() -> None:
    """The indexes begin with it."""
    assert task_lists.plan(MEMBER, query(sort="due_at")).clauses == [{"status": {"$in": list(TASK_STATUSES)}}]


def test_everybodys_tasks_are_for_admins() -> None:
    with pytest.raises(Problem) as refusal:
        task_lists.plan(MEMBER, query(scope="all"))
    assert refusal.value.code == "forbidden"
    assert task_lists.plan(ADMIN, query(scope="all")).sort == Sort("due_at")


def test_a_list_is_bound_to_its_caller_filter_and_sort() -> None:
    """For its cursors."""
    plans = [
        task_lists.plan(MEMBER, query()),
        task_lists.plan(ADMIN, query()),
        task_lists.plan(MEMBER, query(status="done")),
        task_lists.plan(MEMBER, query(sort="id")),
        task_lists.plan(MEMBER, query(scope="assigned")),
    ]
    assert len({plan.binding for plan in plans}) == len(plans)

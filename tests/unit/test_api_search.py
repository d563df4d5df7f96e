"""Searches: nested rules become a filter, and whatever is not on the list is refused by its place."""

from typing import Any

import pytest
from bson import ObjectId

from api.errors import Problem
from api.schemas.search import clause_of
from api.schemas.tasks import FILTERS_EXAMPLE, TASK_SEARCH

RULE = {"field": "status", "operator": "eq", "value": "done"}


def rule(**changes: Any) -> dict[str, Any]:
    return {**RULE, **changes}


def group(*rules: Any, condition: Any = "AND") -> dict[str, Any]:
    return {"condition": condition, "rules": list(rules)}


def nested(depth: int) -> dict[str, Any]:
    found = group(RULE)
    for _ in range(depth - 1):
        found = group(found)
    return found


def test_groups_and_rules_become_a_filter() -> None:
    assert clause_of(TASK_SEARCH, FILTERS_EXAMPLE) == {
        "$and": [
            {"status": {"$in": ["pending", "in_progress"]}},
            {"$or": [{"title": {"$regex": "report", "$options": "i"}}, {"priority": {"$lte": 2}}]},
        ]
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rule(), {"status": {"$eq": "done"}}),
        (rule(operator="neq"), {"status": {"$ne": "done"}}),
        (rule(field="due_at", operator="exists", value=False), {"due_at": None}),
        (rule(field="due_at", operator="exists", value=True), {"due_at": {"$ne": None}}),
        (rule(field="title", operator="like", value="a.*b"), {"title": {"$regex": r"a\.\*b", "$options": "i"}}),
        (rule(field="title", value="$where"), {"title": {"$eq": "$where"}}),
        (rule(field="assignee_id", value="0" * 24), {"assignee_id": {"$eq": ObjectId("0" * 24)}}),
    ],
)
def test_a_rule_becomes_a_condition(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Values are read by the field's own type, and stand behind an operator of ours."""
    assert clause_of(TASK_SEARCH, group(given)) == {"$and": [expected]}


@pytest.mark.parametrize(
    ("tree", "pointer"),
    [
        (None, "/filters"),
        ([], "/filters"),
        ("x", "/filters"),
        ({}, "/filters/condition"),
        (RULE, "/filters/condition"),
        (group(), "/filters/rules"),
        (group(RULE, condition="and"), "/filters/condition"),
        (group(RULE, condition={"$ne": 1}), "/filters/condition"),
        (group(RULE, condition=["AND"]), "/filters/condition"),
        ({**group(RULE), "$where": "1"}, "/filters"),
        ({"condition": "AND", "rules": {"0": RULE}}, "/filters/rules"),
        (group(RULE, "x"), "/filters/rules/1"),
        (group(nested(3)), "/filters/rules/0/rules/0/rules/0"),
        (nested(2_000), "/filters/rules/0/rules/0/rules/0"),
        (group(*[RULE] * 31), "/filters/rules"),
        (group(group(*[RULE] * 16), group(*[RULE] * 16)), "/filters"),
        (group(rule(field="owner_id")), "/filters/rules/0/field"),
        (group(rule(field="$where")), "/filters/rules/0/field"),
        (group(rule(field="status.x")), "/filters/rules/0/field"),
        (group(rule(field=["status"])), "/filters/rules/0/field"),
        (group(rule(operator="$ne")), "/filters/rules/0/operator"),
        (group(rule(operator="regex")), "/filters/rules/0/operator"),
        (group(rule(operator="like")), "/filters/rules/0/operator"),
        (group(rule(operator={"$gt": ""})), "/filters/rules/0/operator"),
        (group(rule(value={"$ne": ""})), "/filters/rules/0/value"),
        (group(rule(value=None)), "/filters/rules/0/value"),
        (group(rule(value=["done"])), "/filters/rules/0/value"),
        (group(rule(operator="in", value=[])), "/filters/rules/0/value"),
        (group(rule(operator="in", value=[["done"]])), "/filters/rules/0/value"),
        (group(rule(operator="in", value=["done"] * 101)), "/filters/rules/0/value"),
        (group(rule(field="title", operator="like", value="x" * 101)), "/filters/rules/0/value"),
        (group(rule(field="title", operator="like", value="\0")), "/filters/rules/0/value"),
        (group(rule(field="priority", value=10**30)), "/filters/rules/0/value"),
        (group(rule(field="priority", value=True)), "/filters/rules/0/value"),
        (group(rule(field="due_at", operator="exists", value="yes")), "/filters/rules/0/value"),
        (group(rule(field="due_at", operator="gt", value="2030-01-01")), "/filters/rules/0/value"),
        (group({**RULE, "x": 1}), "/filters/rules/0"),
        (group({"field": "status"}), "/filters/rules/0"),
    ],
)
def test_what_is_not_on_the_list_is_refused_by_its_place(tree: Any, pointer: str) -> None:
    """Neither depth nor number nor an operator as a value gets through."""
    with pytest.raises(Problem) as refusal:
        clause_of(TASK_SEARCH, tree)
    assert [error.pointer for error in refusal.value.errors] == [pointer]

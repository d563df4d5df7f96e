"""What is read of strangers, whatever they send: a value, or the refusal that is declared, and nothing else."""

from datetime import UTC
from typing import Any

import pytest
from api_routes import ROUTES
from bson import BSON, ObjectId
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from api import schedules, times
from api.consistency import BadToken as BadMoment
from api.consistency import TokenSigner
from api.cursors import BadCursor, CursorSigner, Position
from api.errors import Problem
from api.ids import BadId, parse_object_id, parse_public_id
from api.preferences import KNOWN, wishes_in
from api.schemas import aliases
from api.schemas.base import load
from api.schemas.filters import clauses
from api.schemas.search import clause_of
from api.schemas.tasks import TASK_FILTERS, TASK_SEARCH, TaskQuery
from api.tokens import BadToken, TokenKeys, split_refresh_token

# A loaded machine is no finding.
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
KEYS = [("a", "f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70")]
CURSORS, MOMENTS, TOKENS = CursorSigner(KEYS), TokenSigner(KEYS), TokenKeys(KEYS, 900)

# Everything that JSON can say, and orjson lets through.
TEXT = st.text(max_size=40)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXT
NAMES = (
    st.sampled_from(("condition", "rules", "field", "operator", "value", "$or", "$where", "a.b", "__proto__")) | TEXT
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)

# Searches that are nearly good: the deeper checks are reached.
RULE = st.fixed_dictionaries(
    {
        "field": st.sampled_from((*TASK_SEARCH, "owner_id", "$where", "status.x")),
        "operator": st.sampled_from(("eq", "neq", "in", "gt", "like", "exists", "$ne", "regex")),
        "value": JSON | st.sampled_from(("done", "2030-01-01T00:00:00Z", 3, True, ["done"], "0" * 24)),
    }
)
GROUPS = st.recursive(
    RULE | JSON,
    lambda inner: st.fixed_dictionaries(
        {"condition": st.sampled_from(("AND", "OR", "$or")), "rules": st.lists(inner, max_size=4)}
    ),
    max_leaves=12,
)
OPERATORS = {"$and", "$or", "$eq", "$ne", "$in", "$gt", "$gte", "$lt", "$lte", "$regex", "$options"}


def operators_in(clause: Any) -> set[str]:
    """Every name in a filter that MongoDB takes for an operator."""
    if isinstance(clause, list):
        return {name for each in clause for name in operators_in(each)}
    if not isinstance(clause, dict):
        return set()
    own = {name for name in clause if name.startswith("$")}
    return own | {name for value in clause.values() for name in operators_in(value)}


def fields_in(clause: Any) -> set[str]:
    if isinstance(clause, list):
        return {name for each in clause for name in fields_in(each)}
    if not isinstance(clause, dict):
        return set()
    return {name for name in clause if not name.startswith("$")} | {
        name for key, value in clause.items() if key in ("$and", "$or") for name in fields_in(value)
    }


@QUIET
@given(GROUPS)
def test_a_search_is_a_filter_of_our_making_or_refused(tree: Any) -> None:
    """Its fields and operators are on the list, and the driver can send it."""
    try:
        clause = clause_of(TASK_SEARCH, tree)
    except Problem as problem:
        assert problem.code == "invalid"
        assert all(error.pointer.startswith("/filters") for error in problem.errors)
        return
    assert operators_in(clause) <= OPERATORS
    assert fields_in(clause) <= set(TASK_SEARCH)
    BSON.encode(clause)


QUERY_VALUES = TEXT | st.sampled_from(("pending", "1,2", "2030-01-01T00:00:00Z", "true", "$ne", '{"$gt":1}', "0" * 24))


@QUIET
@given(st.dictionaries(st.sampled_from(tuple(TaskQuery().fields)) | TEXT, QUERY_VALUES, max_size=5))
def test_a_query_is_a_filter_of_our_making_or_refused(query: dict[str, str]) -> None:
    try:
        found = clauses(TASK_FILTERS, load(TaskQuery(), query))
    except Problem as problem:
        assert problem.code == "invalid"
        return
    assert operators_in(found) <= OPERATORS
    assert {name for each in found for name in each} <= {each.field for each in TASK_FILTERS}
    BSON.encode({"$and": found})


SCHEMAS = sorted({each.body for _, _, each in ROUTES.values() if each.body}, key=lambda schema: schema.__name__)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
@settings(QUIET, max_examples=10)
@given(st.data())
def test_a_body_is_read_or_refused_by_name(schema: type[Schema], data: st.DataObject) -> None:
    """Whatever its fields hold."""
    names = st.sampled_from(tuple(schema().fields)) | NAMES
    try:
        load(schema(), data.draw(st.dictionaries(names, JSON, max_size=5)))
    except Problem as problem:
        assert problem.code == "invalid"
        assert problem.errors


READERS = {
    "object id": (parse_object_id, BadId),
    "public id": (parse_public_id, BadId),
    "cursor": (lambda text: CURSORS.open(text, "tasks"), BadCursor),
    "consistency token": (MOMENTS.open, BadMoment),
    "access token": (TOKENS.verify, BadToken),
    "refresh token": (split_refresh_token, BadToken),
    "time": (times.parse, ValueError),
    "cron": (schedules.parse_cron, schedules.BadCron),
    "clock": (aliases.parse_clock, ValidationError),
    "day": (aliases.parse_day, ValidationError),
}
LOOKS = (
    st.from_regex(r"\A[A-Za-z0-9_-]{24,120}\Z")
    | st.from_regex(r"\A[A-Za-z0-9_-]{4,40}\.[A-Za-z0-9_-]{4,80}(\.[A-Za-z0-9_-]{0,43})?\Z")
    | st.from_regex(r"\A\d{1,4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d))?\Z")
    | st.from_regex(r"\A([0-9*/,-]{1,4} ){4}[0-9*/,-]{1,4}\Z")
    | st.from_regex(r"\A\d{1,3}(:\d\d)?(:\d\d)? ?[ap]?m?\Z")
)


@pytest.mark.parametrize("what", READERS)
@QUIET
@given(st.text(max_size=120) | LOOKS)
@example("")
@example("\ud800")
@example("\0")
@example("A" * 5_000)
def test_a_text_is_read_or_refused_as_declared(what: str, text: str) -> None:
    read, refusal = READERS[what]
    try:
        read(text)
    except refusal:
        return


VALUE = st.none() | st.integers(-(2**63), 2**63 - 1) | st.datetimes(timezones=st.just(UTC)).map(times.to_milliseconds)


@QUIET
@given(VALUE, st.binary(min_size=12, max_size=12).map(ObjectId), TEXT)
def test_a_cursor_gives_back_any_position_to_its_own_list_alone(value: Any, item_id: ObjectId, binding: str) -> None:
    position = Position(value, item_id)
    cursor = CURSORS.seal(position, binding)

    assert CURSORS.open(cursor, binding) == position
    with pytest.raises(BadCursor):
        CURSORS.open(cursor, binding + "x")


@QUIET
@given(st.text(max_size=200))
def test_wishes_are_those_that_are_known(text: str) -> None:
    assert wishes_in(text) <= set(KNOWN)

"""What a list may be asked: an allow-list of fields and operators becomes a query schema and MongoDB clauses.

`?status=pending&priority__in=1,2&due_at__gte=2026-01-01T00:00:00Z`. Pure: nothing here talks to a server.
"""

import operator as compare
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from .base import Strict, own_fields
from .fields import Choice, CommaList, QueryFlag, QueryInt, Text

MAX_LIMIT = 100
DEFAULT_LIMIT = 25
MAX_OFFSET = 10_000
MAX_LIKE = 100
MAX_IDS = 100
COUNTS = ("none", "estimated", "exact")

RANGES = {"gt": "$gt", "gte": "$gte", "lt": "$lt", "lte": "$lte"}
# Comparisons see values of their own type only: every date, and no null.
ANY_DATE = {"$gte": datetime(1, 1, 1, tzinfo=UTC)}

LETS_THROUGH: dict[str, Callable[[Any, Any], bool]] = {
    "eq": compare.eq,
    "neq": compare.ne,
    "in": lambda value, given: value in given,
    "gt": compare.gt,
    "gte": compare.ge,
    "lt": compare.lt,
    "lte": compare.le,
}

Clause = dict[str, Any]


@dataclass(frozen=True)
class Filter:
    """One field that may be asked for.

    `values` are all its values, where they are few: then an unasked field is "any of them", which lets an index that
    begins with it serve the list, and `neq` is "any of the others".
    """

    field: str
    make: Callable[[], fields.Field]
    operators: tuple[str, ...]
    values: tuple[Any, ...] = ()


def parameter(field: str, asked: str) -> str:
    """The name in the query string: `status`, `status__neq`."""
    return field if asked == "eq" else f"{field}__{asked}"


def query_schema(
    name: str,
    filters: Sequence[Filter],
    sorts: Sequence[str],
    extra: Mapping[str, fields.Field],
    is_paged: bool = True,
) -> type[Schema]:
    """The schema of a list's query string; one that is not paged is shown as a whole."""
    named: dict[str, fields.Field] = dict(extra)
    for each in filters:
        for operator in each.operators:
            named[parameter(each.field, operator)] = _field(each, operator)
    signed = [sign + sort for sort in sorts for sign in ("", "-")]
    named["sort"] = Choice(*signed, metadata={"description": "`-` sorts downwards. The id decides between equals."})
    named["order"] = Choice("asc", "desc", metadata={"description": "The direction of a `sort` without a sign."})
    if is_paged:
        named["limit"] = QueryInt(1, MAX_LIMIT, load_default=DEFAULT_LIMIT)
        named["cursor"] = Text(1000, 1, metadata={"description": "`pagination.next_cursor` of the page before."})
    made: type[Schema] = Strict.from_dict(named, name=name)
    return made


def id_parameter(each: fields.Field) -> fields.List:
    """`?id=...&id=...`: these items."""
    text = "Repeated: these, in this order; with `fields` and `expand` alone beside it."
    return fields.List(each, validate=validate.Length(1, MAX_IDS), metadata={"description": text})


def page_parameters(item: type[Schema]) -> dict[str, fields.Field]:
    """What `lists` reads of a query string besides filters."""
    names = [name for name in own_fields(item) if name != "id"]
    return {
        "offset": QueryInt(
            0, MAX_OFFSET, metadata={"description": "Items to pass over. A cursor is cheaper, and has no end."}
        ),
        "count": Choice(
            *COUNTS,
            metadata={"description": "How many there are in all. `exact`, the default with an offset, ends at 10,000."},
        ),
        "fields": CommaList(
            Choice(*names), len(names), metadata={"description": "Show these, comma-separated, and the id alone."}
        ),
        **expand_parameter(item),
    }


def expand_parameter(item: type[Schema]) -> dict[str, fields.Field]:
    """`expand`, where `item` has something to be expanded."""
    names = [name for name in item().fields if name not in own_fields(item)]
    text = "Add these, comma-separated: the names of what ids stand for. An item's ETag is weak then, and never 304."
    return {"expand": CommaList(Choice(*names), len(names), metadata={"description": text})} if names else {}


def item_query(item: type[Schema]) -> type[Schema]:
    """The query string of a single item."""
    made: type[Schema] = Strict.from_dict(dict(expand_parameter(item)), name=f"{item.__name__}ItemQuery")
    return made


def _field(each: Filter, operator: str) -> fields.Field:
    if operator == "like":
        return Text(MAX_LIKE, 1, metadata={"description": "Contains this text, in whichever case."})
    if operator == "in":
        return CommaList(each.make())
    return QueryFlag() if operator == "exists" else each.make()


def clauses(filters: Sequence[Filter], query: Mapping[str, Any]) -> list[Clause]:
    """The clauses that `query` asks for, to be joined by `$and`."""
    found: list[Clause] = []
    for each in filters:
        asked = {op: query[parameter(each.field, op)] for op in each.operators if parameter(each.field, op) in query}
        if each.values and asked:
            found.append(any_of(each.field, _chosen(each.values, asked)))
        elif asked:
            found.extend({each.field: _condition(op, value)} for op, value in asked.items())
    return found


def _chosen(values: Sequence[Any], asked: Mapping[str, Any]) -> list[Any]:
    """Those of `values` that every operator lets through."""
    return [value for value in values if all(LETS_THROUGH[op](value, given) for op, given in asked.items())]


def any_of(field: str, values: Sequence[Any]) -> Clause:
    """`field` has one of `values`."""
    return {field: values[0]} if len(values) == 1 else {field: {"$in": list(values)}}


def _condition(operator: str, value: Any) -> Any:
    if operator == "in":
        return {"$in": value}
    if operator == "like":
        return contains(value)
    if operator == "exists":
        return ANY_DATE if value else None
    return {RANGES[operator]: value} if operator in RANGES else value


def contains(text: str) -> Clause:
    """`text` anywhere in a string, in whichever case, letter by letter: nothing in it is a pattern."""
    return {"$regex": re.escape(text), "$options": "i"}


def asked_fields(filters: Sequence[Filter], query: Mapping[str, Any]) -> set[str]:
    """The fields that `query` filters by."""
    return {each.field for each in filters for op in each.operators if parameter(each.field, op) in query}

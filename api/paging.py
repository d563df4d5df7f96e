"""Lists by key: which sort, which clauses, where the next page begins. Pure but for `collect`'s reader.

A page after a cursor is `field >= v AND (field > v OR _id > id)`: one bounded index scan. A field that may be null has
its nulls in a scan of their own, first upwards and last downwards: comparisons do not see them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .cursors import Position
from .db import Document
from .errors import invalid
from .schemas.filters import ANY_DATE

Clauses = list[Document]
Read = Callable[[Clauses, Sequence[tuple[str, int]], int], list[Document]]


@dataclass(frozen=True)
class Sort:
    """A field of documents and a direction; the id decides between equals, in the same direction."""

    field: str
    descending: bool = False

    @property
    def spec(self) -> list[tuple[str, int]]:
        """As pymongo takes it, e.g. `[("due_at", 1), ("_id", 1)]`."""
        step = -1 if self.descending else 1
        return [("_id", step)] if self.field == "_id" else [(self.field, step), ("_id", step)]

    @property
    def name(self) -> str:
        """As a query string says it, e.g. `-id`."""
        return ("-" if self.descending else "") + ("id" if self.field == "_id" else self.field)


def chosen_sort(query: Mapping[str, Any], default: Sort) -> Sort:
    """The sort that `sort` and `order` ask for.

    Raises:
        Problem: 422, two directions are asked for.
    """
    asked, order = query.get("sort"), query.get("order")
    if asked is None:
        return Sort(default.field, order == "desc") if order else default
    if order and asked.startswith("-"):
        raise invalid("/order", "Give a direction either as order or as the sign of sort.")
    field = asked.lstrip("-")
    return Sort("_id" if field == "id" else field, asked.startswith("-") or order == "desc")


def scans(sort: Sort, after: Position | None, nullable: bool) -> list[Clauses]:
    """The scans that give the rest of a list in order, each as clauses to be added to its filter."""
    if after is None:
        return [[]]
    beyond = {"$lt" if sort.descending else "$gt": after.item_id}
    if sort.field == "_id":
        return [[{"_id": beyond}]]
    nulls: Clauses = [{sort.field: None}]
    if after.value is None:
        rest = [[*nulls, {"_id": beyond}]]
        return rest if sort.descending else [*rest, [{sort.field: ANY_DATE}]]
    values = _after_value(sort, after.value, beyond)
    return [values, nulls] if nullable and sort.descending else [values]


def _after_value(sort: Sort, value: Any, beyond_id: Document) -> Clauses:
    at_or_past, past = ("$lte", "$lt") if sort.descending else ("$gte", "$gt")
    return [{sort.field: {at_or_past: value}}, {"$or": [{sort.field: {past: value}}, {"_id": beyond_id}]}]


@dataclass(frozen=True)
class Page:
    """A page of documents, and where the next one begins (None at the end)."""

    documents: list[Document]
    limit: int
    next_position: Position | None


def collect(
    read: Read, clauses: Clauses, sort: Sort, after: Position | None, limit: int, nullable: bool = False
) -> Page:
    """The documents after `after`: one scan, or a second one where the first did not fill the page."""
    found: list[Document] = []
    for scan in scans(sort, after, nullable):
        if len(found) <= limit:
            found += read([*clauses, *scan], sort.spec, limit + 1 - len(found))
    if len(found) <= limit:
        return Page(found, limit, None)
    last = found[limit - 1]
    return Page(found[:limit], limit, Position(last.get(sort.field), last["_id"]))

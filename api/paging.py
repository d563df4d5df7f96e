"""Lists by key: which sort, which clauses, where the next page begins. Pure but for `collect`'s reader.

A page after a cursor is made of bounded index scans, each over what no other one shows: first the equals of the last
item by id, then what is past its value. In one condition with `$or`, the server would pass over every equal again, and
now and then sort in memory. A field that may be null has its nulls in a scan of their own, first upwards and last
downwards: comparisons do not see them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .cursors import Position
from .db import Document
from .errors import invalid
from .schemas.filters import ANY_DATE

Clauses = list[Document]
# Takes clauses, sort, limit and, for pages by offset, how many to pass over.
Read = Callable[..., list[Document]]


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


@dataclass(frozen=True)
class Scan:
    """One bounded index scan: clauses to be added to a list's filter, and the order it has by itself."""

    clauses: Clauses
    spec: list[tuple[str, int]]


def scans(sort: Sort, after: Position | None, nullable: bool, values: Sequence[Any] | None = None) -> list[Scan]:
    """The scans that give the rest of a list in order.

    `values` are those of the sort's field, where its filter names them. Each has a scan of its own, ordered by id:
    a server that gets them as points of an index looks no further than the id, and would sort by the field in memory.
    https://github.com/mongodb/mongo/blob/v6.0/src/mongo/db/query/planner_analysis.cpp (explodeForSort)
    """
    by_id = Sort("_id", sort.descending).spec
    if values is not None:
        return [Scan(clauses, by_id) for clauses in _by_value(sort, after, values)]
    if after is None:
        return [Scan([], sort.spec)]
    beyond = {"$lt" if sort.descending else "$gt": after.item_id}
    if sort.field == "_id":
        return [Scan([{"_id": beyond}], by_id)]
    if after.value is None:
        rest = Scan([{sort.field: None}, {"_id": beyond}], by_id)
        return [rest] if sort.descending else [rest, Scan([{sort.field: ANY_DATE}], sort.spec)]
    equals = Scan([{sort.field: after.value}, {"_id": beyond}], by_id)
    following = Scan([{sort.field: {"$lt" if sort.descending else "$gt": after.value}}], sort.spec)
    return [equals, following, *([Scan([{sort.field: None}], by_id)] if nullable and sort.descending else [])]


def _by_value(sort: Sort, after: Position | None, values: Sequence[Any]) -> list[Clauses]:
    found: list[Clauses] = []
    for value in sorted(values, key=_order, reverse=sort.descending):
        if after is None or (_order(value) > _order(after.value)) is not sort.descending and value != after.value:
            found.append([{sort.field: value}])
        elif value == after.value:
            found.append([{sort.field: value}, {"_id": {"$lt" if sort.descending else "$gt": after.item_id}}])
    return found


def _order(value: Any) -> tuple[bool, Any]:
    """Null sorts below everything."""
    return value is not None, 0 if value is None else value


def pinned(clauses: Clauses, field: str) -> tuple[Clauses, list[Any] | None]:
    """The other clauses, and the values that some clauses leave to `field`; None where no clause names values."""
    rest: Clauses = []
    values: list[Any] | None = None
    for clause in clauses:
        condition = clause.get(field, ANY_DATE)
        named = condition.get("$in") if isinstance(condition, dict) else [condition]
        if named is None:
            rest.append(clause)
        else:
            values = [value for value in named if values is None or value in values]
    return rest, values


@dataclass(frozen=True)
class Page:
    """A page of documents, and where the next one begins (None at the end).

    A page by offset has no position to go on from: `offset` says where it began, `has_more` whether it goes on.
    """

    documents: list[Document]
    limit: int
    next_position: Position | None
    offset: int | None = None
    has_more: bool = False


def collect(
    read: Read, clauses: Clauses, sort: Sort, after: Position | None, limit: int, nullable: bool = False
) -> Page:
    """The documents after `after`: one scan, or further ones where the first did not fill the page."""
    found: list[Document] = []
    rest, values = pinned(clauses, sort.field)
    for scan in scans(sort, after, nullable, values):
        if len(found) <= limit:
            found += read([*rest, *scan.clauses], scan.spec, limit + 1 - len(found))
    if len(found) <= limit:
        return Page(found, limit, None)
    last = found[limit - 1]
    return Page(found[:limit], limit, Position(last.get(sort.field), last["_id"]))

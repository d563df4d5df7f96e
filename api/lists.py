"""What every list can be asked besides its filters: pages by cursor or offset, counts, and some fields only.

A page by offset is for data providers that know nothing else: it costs what it passes over, so it ends at 10,000.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Response

from .db import Document
from .errors import invalid
from .paging import Clauses, Page, Read, Sort, collect, pinned, scans
from .responses import Counted, expanded_response, item_response, page_response, position_in
from .schemas.base import Dump

MAX_COUNTED = 10_000
# An estimate that is none costs little, whatever it finds.
ROUGHLY_COUNTED = 1_000

# What may stand beside `id`: the rest chooses and orders items, and so do ids. Some of these have defaults.
BESIDE_IDS = frozenset(("id", "fields", "expand", "scope", "limit"))

# From the words of `expand` and a page's documents to what is added to each of them, see `expand`.
Expand = Callable[[Sequence[str], Sequence[Document]], Dump]

# How many documents meet the clauses, up to a limit.
Count = Callable[[Clauses, int], int]


@dataclass(frozen=True)
class Listing:
    """A list that may be read.

    Attributes:
        plural: what it is of, e.g. `tasks`.
        binding: identifies the list, for its cursors.
        nullable: whether the field it is sorted by can be null.
        estimate: its size from metadata, for a list of everything.
        complete: adds to the documents of a page what is stored elsewhere.
    """

    plural: str
    read: Read
    count: Count
    clauses: Clauses
    sort: Sort
    binding: str
    nullable: bool = False
    estimate: Callable[[], int] | None = None
    complete: Callable[[Sequence[Document]], list[Document]] = list


def answer(listing: Listing, query: Mapping[str, Any], dump: Dump, expand: Expand | None = None) -> Response:
    """The page of `listing` that `query` asks for.

    Raises:
        Problem: 422, the cursor is of another list, or there is an offset too.
    """
    offset, limit = query.get("offset"), query["limit"]
    if offset is not None and "cursor" in query:
        raise invalid("/offset", "Give either a cursor or an offset.")
    if offset is None:
        after = position_in(query, listing.binding)
        page = collect(listing.read, listing.clauses, listing.sort, after, limit, listing.nullable)
    else:
        page = _at(listing, offset, limit)
    page = replace(page, documents=listing.complete(page.documents))
    counted = _counted(listing, query.get("count", "none" if offset is None else "exact"))
    shown = dump_as_asked(dump, query, page.documents, expand)
    return page_response(page, shown, listing.binding, counted, listing.plural)


def answer_by_id(
    query: Mapping[str, Any],
    find: Callable[[Sequence[Any]], Mapping[Any, Document]],
    dump: Dump,
    expand: Expand | None = None,
) -> Response:
    """The items whose ids are asked for, in that order; what is gone, or not the caller's to see, is left out.

    Raises:
        Problem: 422, it is asked for more than ids.
    """
    for name in query:
        if name not in BESIDE_IDS:
            raise invalid(f"/{name}", "Cannot be asked for together with id.")
    ids = list(dict.fromkeys(query["id"]))
    known = find(ids)
    page = Page([known[each] for each in ids if each in known], len(query["id"]), None)
    return page_response(page, dump_as_asked(dump, query, page.documents, expand), "")


def answer_item(item: Document, query: Mapping[str, Any], dump: Dump, expand: Expand) -> Response:
    """One item, with the names that `query` asks for."""
    if "expand" not in query:
        return item_response(item, dump)
    return expanded_response(item, dump_as_asked(dump, query, [item], expand))


def _at(listing: Listing, offset: int, limit: int) -> Page:
    """The page after the first `offset` documents: the scans of a whole list, as many of them as fill the page.

    The documents of a scan that is passed over as a whole are counted: the server would sort scans that it joins.
    """
    rest, values = pinned(listing.clauses, listing.sort.field)
    found: list[Document] = []
    to_pass = offset
    for scan in scans(listing.sort, None, listing.nullable, values):
        wanted = [*rest, *scan.clauses]
        passed = listing.count(wanted, to_pass) if to_pass and values is not None else to_pass
        if passed < to_pass:
            to_pass -= passed
        elif len(found) <= limit:
            found += listing.read(wanted, scan.spec, limit + 1 - len(found), to_pass)
            to_pass = 0
    return Page(found[:limit], limit, None, offset, len(found) > limit)


def _counted(listing: Listing, mode: str) -> Counted | None:
    """How many there are; more than can be counted in time are "at least" that many."""
    if mode == "none":
        return None
    if mode == "estimated" and listing.estimate is not None:
        return Counted(listing.estimate(), "estimated")
    most = MAX_COUNTED if mode == "exact" else ROUGHLY_COUNTED
    total = listing.count(listing.clauses, most + 1)
    return Counted(total, "exact") if total <= most else Counted(most, "at_least")


def dump_as_asked(dump: Dump, query: Mapping[str, Any], documents: Sequence[Document], expand: Expand | None) -> Dump:
    """`dump`, of the wanted fields, and with the names that are asked for."""
    some = sparse(dump, query.get("fields"))
    if expand is None or "expand" not in query:
        return some
    added = expand(query["expand"], documents)
    return lambda document: {**some(document), **added(document)}


def sparse(dump: Dump, names: list[str] | None) -> Dump:
    """`dump`, of the wanted fields and the id."""
    if names is None:
        return dump
    wanted = {"id", *names}

    def dump_some(document: Mapping[str, Any]) -> Document:
        return {name: value for name, value in dump(document).items() if name in wanted}

    return dump_some

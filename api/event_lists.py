"""Lists of events: which of them a query means, and that an index serves it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from .auth import Principal, require_admin
from .errors import invalid
from .lists import Count, Listing
from .paging import Clauses, Read, Sort, chosen_sort
from .schemas.events import EVENT_FILTERS, EVENT_SEARCH
from .schemas.filters import clauses
from .schemas.search import clause_of, residual
from .store import events

NEWEST_FIRST, BY_START = Sort("_id", descending=True), Sort("starts_at")


def plan(caller: Principal, query: Mapping[str, Any]) -> Listing:
    """The list that `query` means to `caller`.

    Raises:
        Problem: 403 not the caller's to see, 422 no index serves it.
    """
    scope, wanted = query["scope"], clauses(EVENT_FILTERS, query)
    sort = chosen_sort(query, NEWEST_FIRST if scope == "mine" and not wanted else BY_START)
    # Only the owner's index and the one on starts_at have an order that a page can begin in.
    if sort.field == "_id" and (wanted or scope == "all"):
        raise invalid("/sort", "Events of scope all, or filtered by starts_at, are sorted by starts_at.")
    return _listing(caller, scope, wanted, sort)


def search(caller: Principal, body: Mapping[str, Any]) -> Listing:
    """The list of those of the caller's own events that meet the rules of a search: at most those are read.

    Raises:
        Problem: 422 that names the rule which is wrong.
    """
    sort = chosen_sort(body, NEWEST_FIRST)
    clause = residual(clause_of(EVENT_SEARCH, body["filters"]))
    found = _listing(caller, "mine", [clause], sort)
    return replace(found, read=partial(events.search_events_of_owner, caller.user_id, sort.field))


def _listing(caller: Principal, scope: str, wanted: Clauses, sort: Sort) -> Listing:
    read, count = READERS[scope](caller)
    binding = f"events {scope} {caller.user_id} {sort.name} {wanted}"
    estimate = events.estimate_events if scope == "all" and not wanted else None
    return Listing("events", read, count, wanted, sort, binding, estimate=estimate)


def _mine(caller: Principal) -> tuple[Read, Count]:
    owner_id = caller.user_id
    return partial(events.list_events_of_owner, owner_id), partial(events.count_events_of_owner, owner_id)


def _all(caller: Principal) -> tuple[Read, Count]:
    require_admin(caller)
    return events.list_all_events, events.count_all_events


READERS: dict[str, Callable[[Principal], tuple[Read, Count]]] = {"mine": _mine, "all": _all}

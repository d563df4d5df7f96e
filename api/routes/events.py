"""Events: what takes place, when and where."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, Response

from .. import expand, lists, owned
from ..auth import Principal, require_admin
from ..endpoint import Endpoint, Kind, endpoint
from ..errors import invalid
from ..lists import Count
from ..paging import Read, Sort, chosen_sort
from ..resources import EVENTS
from ..schemas import events as shapes
from ..schemas.filters import clauses
from ..schemas.lists import page_of
from ..store import events
from .owned import add_routes

blueprint = Blueprint("events", __name__)

NEWEST_FIRST, BY_START = Sort("_id", descending=True), Sort("starts_at")


def _mine(caller: Principal) -> tuple[Read, Count]:
    owner_id = caller.user_id
    return partial(events.list_events_of_owner, owner_id), partial(events.count_events_of_owner, owner_id)


def _all(caller: Principal) -> tuple[Read, Count]:
    require_admin(caller)
    return events.list_all_events, events.count_all_events


READERS: dict[str, Callable[[Principal], tuple[Read, Count]]] = {"mine": _mine, "all": _all}


@blueprint.get("/events")
@endpoint(
    Endpoint(
        "List events",
        kind=Kind.LIST,
        query=shapes.EventQuery,
        answers={200: page_of(shapes.Event)},
        problems=("forbidden", "invalid_cursor"),
    )
)
def list_events(caller: Principal, query: dict[str, Any]) -> Response:
    names = expand.for_caller(EVENTS.expansions, caller)
    if "id" in query:
        return lists.answer_by_id(query, partial(owned.find_items, EVENTS, caller), EVENTS.dump, names)
    scope, wanted = query["scope"], clauses(shapes.EVENT_FILTERS, query)
    read, count = READERS[scope](caller)
    sort = chosen_sort(query, NEWEST_FIRST if scope == "mine" and not wanted else BY_START)
    # Only the owner's index and the one on starts_at have an order that a page can begin in.
    if sort.field == "_id" and (wanted or scope == "all"):
        raise invalid("/sort", "Events of scope all, or filtered by starts_at, are sorted by starts_at.")
    binding = f"events {scope} {caller.user_id} {sort.name} {wanted}"
    estimate = events.estimate_events if scope == "all" and not wanted else None
    listing = lists.Listing("events", read, count, wanted, sort, binding, estimate=estimate)
    return lists.answer(listing, query, EVENTS.dump, names)


add_routes(blueprint, EVENTS)

"""Events."""

from functools import partial
from typing import Any

from flask import Blueprint, Response

from ..auth import Principal, require_admin
from ..endpoint import Endpoint, Kind, endpoint
from ..errors import invalid
from ..paging import Sort, chosen_sort, collect
from ..resources import EVENTS
from ..responses import page_response, position_in
from ..schemas import events as shapes
from ..schemas.filters import clauses
from ..schemas.lists import page_of
from ..store import events
from .owned import add_routes

blueprint = Blueprint("events", __name__)

NEWEST_FIRST, BY_START = Sort("_id", descending=True), Sort("starts_at")


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
    scope, wanted = query["scope"], clauses(shapes.EVENT_FILTERS, query)
    if scope == "all":
        require_admin(caller)
    sort = chosen_sort(query, NEWEST_FIRST if scope == "mine" and not wanted else BY_START)
    # Only the owner's index and the one on starts_at have an order that a page can begin in.
    if sort.field == "_id" and (wanted or scope == "all"):
        raise invalid("/sort", "Events of scope all, or filtered by starts_at, are sorted by starts_at.")
    read = partial(events.list_events_of_owner, caller.user_id) if scope == "mine" else events.list_all_events
    binding = f"events {scope} {caller.user_id} {sort.name} {wanted}"
    page = collect(read, wanted, sort, position_in(query, binding), query["limit"])
    return page_response(page, EVENTS.dump, binding)


add_routes(blueprint, EVENTS)

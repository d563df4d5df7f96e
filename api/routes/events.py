"""Events: what takes place, when and where."""

from functools import partial
from typing import Any

from flask import Blueprint, Response

from .. import event_lists, expand, lists, owned
from ..auth import Principal
from ..endpoint import Endpoint, Kind, endpoint
from ..resources import EVENTS
from ..schemas import events as shapes
from ..schemas.lists import page_of
from .owned import add_routes

blueprint = Blueprint("events", __name__)


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
    return lists.answer(event_lists.plan(caller, query), query, EVENTS.dump, names)


@blueprint.post("/events/search")
@endpoint(
    Endpoint(
        "Search the caller's events",
        kind=Kind.LIST,
        body=shapes.EventSearch,
        answers={200: page_of(shapes.Event)},
        problems=("invalid_cursor",),
        example={"filters": shapes.SEARCH_EXAMPLE, "sort": "starts_at", "limit": 10},
    )
)
def search_events(caller: Principal, body: dict[str, Any]) -> Response:
    names = expand.for_caller(EVENTS.expansions, caller)
    return lists.answer(event_lists.search(caller, body), body, EVENTS.dump, names)


add_routes(blueprint, EVENTS)

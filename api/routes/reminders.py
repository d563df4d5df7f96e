"""Reminders: alerts for open tasks, by a schedule."""

from functools import partial
from typing import Any

from flask import Blueprint, Response

from .. import expand, lists, owned
from ..auth import Principal
from ..endpoint import Endpoint, Kind, endpoint
from ..paging import Sort, chosen_sort
from ..resources import REMINDERS
from ..schemas import reminders as shapes
from ..schemas.lists import page_of
from ..store import reminders
from .owned import add_routes

blueprint = Blueprint("reminders", __name__)

NEWEST_FIRST = Sort("_id", descending=True)


@blueprint.get("/reminders")
@endpoint(
    Endpoint(
        "List the caller's reminders",
        kind=Kind.LIST,
        query=shapes.ReminderQuery,
        answers={200: page_of(shapes.Reminder)},
        problems=("invalid_cursor",),
    )
)
def list_reminders(caller: Principal, query: dict[str, Any]) -> Response:
    names = expand.for_caller(REMINDERS.expansions, caller)
    if "id" in query:
        return lists.answer_by_id(query, partial(owned.find_items, REMINDERS, caller), REMINDERS.dump, names)
    sort = chosen_sort(query, NEWEST_FIRST)
    read = partial(reminders.list_reminders_of_owner, caller.user_id)
    count = partial(reminders.count_reminders_of_owner, caller.user_id)
    listing = lists.Listing("reminders", read, count, [], sort, f"reminders {caller.user_id} {sort.name}")
    return lists.answer(listing, query, REMINDERS.dump, names)


add_routes(blueprint, REMINDERS)

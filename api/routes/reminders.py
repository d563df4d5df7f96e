"""Reminders: alerts for open tasks, by a schedule."""

from functools import partial
from typing import Any

from flask import Blueprint, Response

from .. import expand, lists, owned, reminder_lists
from ..auth import Principal
from ..endpoint import Endpoint, Kind, endpoint
from ..resources import REMINDERS
from ..schemas import reminders as shapes
from ..schemas.lists import page_of
from .owned import add_routes

blueprint = Blueprint("reminders", __name__)


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
    return lists.answer(reminder_lists.plan(caller, query), query, REMINDERS.dump, names)


add_routes(blueprint, REMINDERS)

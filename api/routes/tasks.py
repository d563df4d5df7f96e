"""Tasks."""

from typing import Any

from flask import Blueprint, Response

from .. import lists, task_lists
from ..auth import Principal
from ..endpoint import Endpoint, Kind, endpoint
from ..paging import Page
from ..resources import TASKS
from ..responses import page_response
from ..schemas import tasks as shapes
from ..schemas.lists import page_of
from .owned import add_routes

blueprint = Blueprint("tasks", __name__)


@blueprint.get("/tasks")
@endpoint(
    Endpoint(
        "List tasks",
        kind=Kind.LIST,
        query=shapes.TaskQuery,
        answers={200: page_of(shapes.Task)},
        problems=("forbidden", "invalid_cursor"),
    )
)
def list_tasks(caller: Principal, query: dict[str, Any]) -> Response:
    if "id" in query:
        found = task_lists.by_id(caller, query)
        return page_response(Page(found, len(query["id"]), None), lists.sparse(TASKS.dump, query.get("fields")), "")
    return lists.answer(task_lists.plan(caller, query), query, TASKS.dump)


add_routes(blueprint, TASKS)

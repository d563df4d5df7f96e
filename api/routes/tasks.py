"""Tasks."""

from typing import Any

from flask import Blueprint, Response

from .. import task_lists
from ..auth import Principal
from ..endpoint import Endpoint, Kind, endpoint
from ..resources import TASKS
from ..responses import page_response, position_in
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
    wanted = task_lists.plan(caller, query)
    page = task_lists.read(wanted, position_in(query, wanted.binding), query["limit"])
    return page_response(page, TASKS.dump, wanted.binding)


add_routes(blueprint, TASKS)

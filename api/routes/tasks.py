"""Tasks: lists, searches, exports, and writes, one by one or many at once."""

from functools import partial
from typing import Any

from flask import Blueprint, Response

from .. import bulk, expand, exports, lists, owned, task_lists
from ..auth import Principal
from ..endpoint import Endpoint, Kind, endpoint
from ..resources import TASKS
from ..schemas import tasks as shapes
from ..schemas.base import own_fields
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
    names = expand.for_caller(TASKS.expansions, caller)
    if "id" in query:
        return lists.answer_by_id(query, partial(owned.find_items, TASKS, caller), TASKS.dump, names)
    return lists.answer(task_lists.plan(caller, query), query, TASKS.dump, names)


@blueprint.get("/tasks/export")
@endpoint(
    Endpoint(
        "Take a whole list of tasks as a file",
        kind=Kind.LIST,
        query=shapes.TaskExportQuery,
        answers={200: None},
        problems=("forbidden",),
        media=("text/csv", "application/x-ndjson"),
    )
)
def export_tasks(caller: Principal, query: dict[str, Any]) -> Response:
    columns = list(own_fields(shapes.Task))
    return exports.answer(task_lists.plan(caller, query), columns, TASKS.dump, query["format"])


@blueprint.post("/tasks/search")
@endpoint(
    Endpoint(
        "Search tasks: the caller's own, those assigned to them, or a project's",
        kind=Kind.LIST,
        body=shapes.TaskSearch,
        answers={200: page_of(shapes.Task)},
        problems=("invalid_cursor",),
        example={"filters": shapes.FILTERS_EXAMPLE, "sort": "due_at", "limit": 10},
    )
)
def search_tasks(caller: Principal, body: dict[str, Any]) -> Response:
    names = expand.for_caller(TASKS.expansions, caller)
    return lists.answer(task_lists.search(caller, body), body, TASKS.dump, names)


@blueprint.post("/tasks/bulk")
@endpoint(
    Endpoint(
        "Write many tasks: each for itself, or all or none",
        kind=Kind.WRITE,
        body=shapes.BulkTasks,
        answers={200: shapes.BulkResults},
        problems=("forbidden", "not_found", "version_required", "stale_version", *TASKS.problems),
        idempotent=True,
        example={"operations": [{"op": "create", "body": dict(TASKS.example)}], "atomic": True},
    )
)
def bulk_tasks(caller: Principal, body: dict[str, Any]) -> Response:
    return bulk.answer(TASKS, caller, body["operations"], body["atomic"])


add_routes(blueprint, TASKS)

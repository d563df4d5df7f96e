"""Tasks."""

from typing import Any

from bson import ObjectId
from flask import Blueprint, Response

from .. import access, task_lists, task_writes
from ..auth import Principal
from ..db import Document
from ..endpoint import Endpoint, Kind, endpoint
from ..errors import Problem
from ..idempotency import once
from ..ids import public_id
from ..responses import (
    item_response,
    missed,
    no_content,
    owned_key,
    page_response,
    position_in,
    unless_stale,
    versions_wanted,
)
from ..schemas import tasks as shapes
from ..schemas.base import compile_dump
from ..schemas.lists import page_of
from ..store import projects, tasks
from ..store.owned import Versions

blueprint = Blueprint("tasks", __name__)

dump_task = compile_dump(shapes.Task)

EXAMPLE = {"title": "Write the report", "priority": 2, "due_at": "2030-01-31T17:00:00Z", "tags": ["reports"]}


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
    return page_response(page, dump_task, wanted.binding)


@blueprint.post("/tasks")
@endpoint(
    Endpoint(
        "Make a task",
        kind=Kind.WRITE,
        body=shapes.TaskCreate,
        answers={201: shapes.Task},
        idempotent=True,
        example=EXAMPLE,
    )
)
def create_task(caller: Principal, body: dict[str, Any]) -> Response:
    task_writes.check_people(caller.user_id, body, caller)

    def write() -> Response:
        task = task_writes.new_task(caller.user_id, body)
        tasks.insert_task(task)
        location = f"/api/v1/tasks/{public_id(task['owner_id'], task['_id'])}"
        return item_response(task, dump_task, 201, location)

    return once(caller, write)


@blueprint.get("/tasks/<task_id>")
@endpoint(Endpoint("A task", answers={200: shapes.Task, 304: None}, conditional=True))
def get_task(caller: Principal, task_id: str) -> Response:
    return item_response(_seen(caller, *owned_key(task_id)), dump_task)


@blueprint.put("/tasks/<task_id>")
@endpoint(
    Endpoint(
        "Replace what can be written of a task",
        kind=Kind.WRITE,
        body=shapes.TaskCreate,
        answers={200: shapes.Task},
        problems=("forbidden",),
        conditional=True,
        idempotent=True,
        example=EXAMPLE,
    )
)
def put_task(caller: Principal, task_id: str, body: dict[str, Any]) -> Response:
    return _update(caller, task_id, body)


@blueprint.patch("/tasks/<task_id>")
@endpoint(
    Endpoint(
        "Change a task",
        kind=Kind.WRITE,
        body=shapes.TaskPatch,
        answers={200: shapes.Task},
        problems=("forbidden",),
        conditional=True,
        idempotent=True,
        example={"status": "done"},
    )
)
def patch_task(caller: Principal, task_id: str, body: dict[str, Any]) -> Response:
    return _update(caller, task_id, body)


@blueprint.delete("/tasks/<task_id>")
@endpoint(
    Endpoint(
        "Delete a task",
        kind=Kind.WRITE,
        answers={204: None},
        problems=("forbidden",),
        conditional=True,
        idempotent=True,
    )
)
def delete_task(caller: Principal, task_id: str) -> Response:
    (owner_id, item_id), versions = owned_key(task_id), versions_wanted()

    def write() -> Response:
        allowed = access.deletes_task(caller, owner_id)
        if allowed is None or not tasks.delete_task(owner_id, item_id, {**allowed, **task_writes.at(versions)}):
            raise missed(_seen(caller, owner_id, item_id), versions)
        return no_content()

    return once(caller, write)


def _seen(caller: Principal, owner_id: ObjectId, task_id: ObjectId) -> Document:
    """The task, if the caller may see it: as owner, assignee or admin, else through a project."""
    condition = access.sees_task(caller, owner_id)
    task = tasks.find_task(owner_id, task_id, condition)
    if task is None and condition:
        task = tasks.find_task(owner_id, task_id, access.in_projects(projects.list_project_ids_of(caller.user_id)))
    if task is None:
        raise Problem("not_found")
    return task


def _update(caller: Principal, task_id: str, fields: dict[str, Any]) -> Response:
    (owner_id, item_id), versions = owned_key(task_id), versions_wanted()
    if not fields:
        return item_response(unless_stale(_seen(caller, owner_id, item_id), versions), dump_task)
    task_writes.check_people(owner_id, fields, caller, item_id)

    def write() -> Response:
        return item_response(_changed(caller, owner_id, item_id, fields, versions), dump_task)

    return once(caller, write)


def _changed(
    caller: Principal, owner_id: ObjectId, task_id: ObjectId, fields: dict[str, Any], versions: Versions
) -> Document:
    """The task with `fields`: one command for owner, admin and assignee, a second one for members of its project."""
    update, conditions = task_writes.change_of(fields, caller.user_id), task_writes.at(versions)
    allowed = access.changes_task(caller, owner_id, fields.keys())
    task = None
    if allowed is not None:
        task = tasks.update_task(owner_id, task_id, {**allowed, **conditions}, update)
    if task is None and allowed != access.EVERYTHING:
        mine = access.in_projects(projects.list_project_ids_of(caller.user_id))
        task = tasks.update_task(owner_id, task_id, {**mine, **conditions}, update)
    if task is None:
        raise missed(_seen(caller, owner_id, task_id), versions)
    return task

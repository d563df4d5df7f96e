"""Projects, their members and their tasks."""

from functools import partial
from typing import Any

from flask import Blueprint, Response

from .. import expand, lists, project_lists, projects, task_lists
from ..auth import Principal
from ..db import Document
from ..endpoint import Endpoint, Kind, endpoint
from ..errors import invalid
from ..idempotency import once
from ..projects import dump_project
from ..resources import TASKS
from ..responses import etag_of, item_response, no_content, object_id, versions_wanted
from ..schemas import projects as shapes
from ..schemas import tasks as task_shapes
from ..schemas.base import compile_dump
from ..schemas.filters import item_query
from ..schemas.lists import page_of
from ..store import projects as store
from .owned import PREFIX, create_item

blueprint = Blueprint("projects", __name__)

dump_member = compile_dump(shapes.Member)

EXPANSIONS = {"owner": expand.OWNER}
EXAMPLE = {"name": "Garden", "description": "What grows behind the house"}


@blueprint.get("/projects")
@endpoint(
    Endpoint(
        "List projects",
        kind=Kind.LIST,
        query=shapes.ProjectQuery,
        answers={200: page_of(shapes.Project)},
        problems=("forbidden", "invalid_cursor"),
    )
)
def list_projects(caller: Principal, query: dict[str, Any]) -> Response:
    names = expand.for_caller(EXPANSIONS, caller)
    if "id" in query:
        return lists.answer_by_id(query, partial(project_lists.by_id, caller), dump_project, names)
    return lists.answer(project_lists.plan(caller, query), query, dump_project, names)


@blueprint.post("/projects")
@endpoint(
    Endpoint(
        "Make a project",
        kind=Kind.WRITE,
        body=shapes.ProjectCreate,
        answers={201: shapes.Project},
        idempotent=True,
        example=EXAMPLE,
    )
)
def create_project(caller: Principal, body: dict[str, Any]) -> Response:
    def write() -> Response:
        project = projects.new_project(caller, body)
        store.insert_project(project)
        return item_response(project, dump_project, 201, f"{PREFIX}/projects/{project['_id']}")

    return once(caller, write)


@blueprint.get("/projects/<project_id>")
@endpoint(
    Endpoint(
        "A project: for its owner, members and admins",
        query=item_query(shapes.Project),
        answers={200: shapes.Project, 304: None},
        conditional=True,
    )
)
def get_project(caller: Principal, project_id: str, query: dict[str, Any] | None = None) -> Response:
    project = projects.seen(caller, object_id(project_id))
    return lists.answer_item(project, query or {}, dump_project, expand.for_caller(EXPANSIONS, caller))


@blueprint.put("/projects/<project_id>")
@endpoint(
    Endpoint(
        "Replace what can be written of a project",
        kind=Kind.WRITE,
        body=shapes.ProjectPut,
        answers={200: shapes.Project},
        problems=("forbidden",),
        conditional=True,
        idempotent=True,
        example=EXAMPLE,
    )
)
def put_project(caller: Principal, project_id: str, body: dict[str, Any]) -> Response:
    return _update(caller, project_id, body)


@blueprint.patch("/projects/<project_id>")
@endpoint(
    Endpoint(
        "Change a project",
        kind=Kind.WRITE,
        body=shapes.ProjectPatch,
        answers={200: shapes.Project},
        problems=("forbidden",),
        conditional=True,
        idempotent=True,
        example={"status": "archived"},
    )
)
def patch_project(caller: Principal, project_id: str, body: dict[str, Any]) -> Response:
    return _update(caller, project_id, body)


def _update(caller: Principal, project_id: str, fields: dict[str, Any]) -> Response:
    wanted, versions = object_id(project_id), versions_wanted()
    return once(caller, lambda: item_response(projects.update(caller, wanted, fields, versions), dump_project))


@blueprint.delete("/projects/<project_id>")
@endpoint(
    Endpoint(
        "Delete a project: hidden at once, its tasks detached or deleted soon after",
        kind=Kind.WRITE,
        query=shapes.ProjectDeletion,
        answers={204: None},
        problems=("forbidden", "project_has_tasks"),
        conditional=True,
        idempotent=True,
    )
)
def delete_project(caller: Principal, project_id: str, query: dict[str, Any]) -> Response:
    wanted, versions = object_id(project_id), versions_wanted()

    def write() -> Response:
        projects.delete(caller, wanted, query.get("tasks"), versions)
        return no_content()

    return once(caller, write)


@blueprint.put("/projects/<project_id>/owner")
@endpoint(
    Endpoint(
        "Hand a project over to one of its members",
        kind=Kind.WRITE,
        body=shapes.ProjectOwner,
        answers={200: shapes.Project},
        problems=("forbidden",),
        conditional=True,
        idempotent=True,
    )
)
def put_project_owner(caller: Principal, project_id: str, body: dict[str, Any]) -> Response:
    wanted, versions = object_id(project_id), versions_wanted()

    def write() -> Response:
        return item_response(projects.hand_over(caller, wanted, body["user_id"], versions), dump_project)

    return once(caller, write)


@blueprint.get("/projects/<project_id>/tasks")
@endpoint(
    Endpoint(
        "List the tasks of a project, by due date",
        kind=Kind.LIST,
        query=shapes.ProjectTaskQuery,
        answers={200: page_of(task_shapes.Task)},
        problems=("invalid_cursor",),
    )
)
def list_project_tasks(caller: Principal, project_id: str, query: dict[str, Any]) -> Response:
    project = projects.seen(caller, object_id(project_id))
    wanted = task_lists.plan(caller, {**query, "scope": "project", "project_id": project["_id"]})
    return lists.answer(wanted, query, TASKS.dump, expand.for_caller(TASKS.expansions, caller))


@blueprint.post("/projects/<project_id>/tasks")
@endpoint(
    Endpoint(
        "Make a task in a project; it is the caller's",
        kind=Kind.WRITE,
        body=task_shapes.TaskCreate,
        answers={201: task_shapes.Task},
        problems=("project_archived",),
        idempotent=True,
        example={"title": "Water the roses"},
    )
)
def create_project_task(caller: Principal, project_id: str, body: dict[str, Any]) -> Response:
    project = projects.seen(caller, object_id(project_id))
    if body["project_id"] not in (None, project["_id"]):
        raise invalid("/project_id", "Is another project than the path's.")
    return create_item(TASKS, caller, {**body, "project_id": project["_id"]})


@blueprint.get("/projects/<project_id>/members")
@endpoint(
    Endpoint(
        "Who takes part in a project: its owner and members, by id",
        kind=Kind.LIST,
        query=shapes.MemberQuery,
        answers={200: page_of(shapes.Member)},
        problems=("invalid_cursor",),
    )
)
def list_project_members(caller: Principal, project_id: str, query: dict[str, Any]) -> Response:
    project = projects.seen(caller, object_id(project_id))
    return lists.answer(project_lists.members(caller, project, query), query, dump_member)


@blueprint.put("/projects/<project_id>/members/<user_id>")
@endpoint(
    Endpoint(
        "Make somebody a member; again changes nothing",
        kind=Kind.WRITE,
        answers={204: None},
        problems=("forbidden", "project_full"),
    )
)
def put_project_member(caller: Principal, project_id: str, user_id: str) -> Response:
    project = projects.add_member(caller, object_id(project_id), object_id(user_id))
    return _changed(project)


@blueprint.delete("/projects/<project_id>/members/<user_id>")
@endpoint(
    Endpoint(
        "Take a member out, or leave; the project's tasks are taken off them soon after",
        kind=Kind.WRITE,
        answers={204: None},
        problems=("forbidden",),
    )
)
def delete_project_member(caller: Principal, project_id: str, user_id: str) -> Response:
    projects.remove_member(caller, object_id(project_id), object_id(user_id))
    return no_content()


def _changed(project: Document) -> Response:
    response = no_content()
    response.headers["ETag"] = etag_of(project)
    return response

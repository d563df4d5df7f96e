"""Projects, their members and their tasks."""

from functools import partial
from typing import Any

from bson import ObjectId
from flask import Blueprint, Response

from .. import lists, projects, task_lists
from ..auth import Principal, require_admin
from ..db import Document
from ..endpoint import Endpoint, Kind, endpoint
from ..errors import invalid
from ..idempotency import once
from ..paging import Page, Read, Sort, chosen_sort, collect
from ..resources import TASKS
from ..responses import etag_of, item_response, no_content, object_id, page_response, position_in, versions_wanted
from ..schemas import projects as shapes
from ..schemas import tasks as task_shapes
from ..schemas.base import compile_dump
from ..schemas.filters import any_of, asked_fields, clauses
from ..schemas.lists import page_of
from ..store import projects as store
from ..store import users
from .owned import PREFIX, create_item

blueprint = Blueprint("projects", __name__)

_dump = compile_dump(shapes.Project)
dump_member = compile_dump(shapes.Member)

EXAMPLE = {"name": "Garden", "description": "What grows behind the house"}
NEWEST_FIRST, BY_ID = Sort("_id", descending=True), Sort("_id")


def dump_project(project: Any) -> dict[str, Any]:
    """As it is shown: with the number of its members."""
    return _dump({**project, "members": len(project["member_ids"])})


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
    scope, wanted = query["scope"], clauses(shapes.PROJECT_FILTERS, query)
    if scope == "all":
        require_admin(caller)
    if not asked_fields(shapes.PROJECT_FILTERS, query):
        wanted.append(any_of("status", shapes.STATUSES))
    readers: dict[str, Read] = {
        "mine": partial(store.list_projects_of, caller.user_id),
        "owned": partial(store.list_projects_of_owner, caller.user_id),
        "all": store.list_all_projects,
    }
    sort = chosen_sort(query, NEWEST_FIRST)
    binding = f"projects {scope} {caller.user_id} {sort.name} {wanted}"
    page = collect(readers[scope], wanted, sort, position_in(query, binding), query["limit"])
    return page_response(page, dump_project, binding)


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
    Endpoint("A project: for its owner, members and admins", answers={200: shapes.Project, 304: None}, conditional=True)
)
def get_project(caller: Principal, project_id: str) -> Response:
    return item_response(projects.seen(caller, object_id(project_id)), dump_project)


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
    return lists.answer(wanted, query, TASKS.dump)


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
    sort = chosen_sort(query, BY_ID)
    binding = f"members {project['_id']} {caller.user_id} {sort.name}"
    after = position_in(query, binding)
    people = sorted((project["owner_id"], *project["member_ids"]), reverse=sort.descending)
    if after is not None:
        people = [who for who in people if (who < after.item_id if sort.descending else who > after.item_id)]
    page = collect(lambda clauses, spec, limit: _id_documents(people[:limit]), [], sort, None, query["limit"])
    return page_response(_with_names(page, project["owner_id"]), dump_member, binding)


def _id_documents(ids: list[ObjectId]) -> list[Document]:
    return [{"_id": each} for each in ids]


def _with_names(page: Page, owner_id: ObjectId) -> Page:
    """The people of a page with their names; whoever is being deleted has none any more."""
    names = {user["_id"]: user for user in users.list_names([each["_id"] for each in page.documents])}
    shown = [
        {**names.get(each["_id"], {**each, "username": "", "name": ""}), "role": _role(each["_id"], owner_id)}
        for each in page.documents
    ]
    return Page(shown, page.limit, page.next_position)


def _role(user_id: ObjectId, owner_id: ObjectId) -> str:
    return "owner" if user_id == owner_id else "member"


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

"""What a project and the people in it go through: changes, members, a new owner, the end.

Members come and go by commands that say whom, so that two at once do not undo each other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from flask import g

from . import access, audit, late_writes, times
from .auth import Principal
from .db import Document
from .errors import Problem, invalid
from .responses import missed, unless_stale
from .schemas.base import compile_dump
from .schemas.projects import Project
from .services import services
from .store import audit as entries
from .store import projects, tasks, users
from .store.owned import Versions, at_versions, change, new_document

MAX_MEMBERS = 500
NOT_FULL = {f"member_ids.{MAX_MEMBERS - 1}": {"$exists": False}}


_dump = compile_dump(Project)


def dump_project(project: Mapping[str, Any]) -> dict[str, Any]:
    """As it is shown: with the number of its members."""
    return _dump({**project, "members": len(project["member_ids"])})


def new_project(caller: Principal, fields: Mapping[str, Any]) -> Document:
    """A first version, of the caller's and active."""
    own = {"owner_id": caller.user_id, "member_ids": [], "status": "active"}
    return new_document({**fields, **own}, caller.user_id, g.get("request_id"), times.now())


def seen(caller: Principal, project_id: ObjectId) -> Document:
    """The project, if the caller may see it.

    Raises:
        Problem: 404.
    """
    project = projects.find_project(project_id, access.sees_project(caller))
    if project is None:
        raise Problem("not_found")
    return project


def update(caller: Principal, project_id: ObjectId, fields: Mapping[str, Any], versions: Versions) -> Document:
    """The project with `fields`.

    Raises:
        Problem: 404 not to be seen, 412 at another version, 403 not theirs to change.
    """
    if not fields:
        return unless_stale(seen(caller, project_id), versions)
    conditions = [access.changes_project(caller), at_versions(versions)]
    project = projects.update_project(project_id, conditions, _change(caller, fields))
    if project is None:
        raise missed(seen(caller, project_id), versions)
    return project


def _change(
    caller: Principal,
    fields: Mapping[str, Any],
    computed: Mapping[str, Any] | None = None,
    left: Sequence[ObjectId] = (),
) -> list[Document]:
    return change(fields, caller.user_id, g.get("request_id"), times.now(), computed, left)


def add_member(caller: Principal, project_id: ObjectId, user_id: ObjectId) -> Document:
    """The project, with that person in it.

    Raises:
        Problem: 404 no such project or nobody active, 403 not theirs to change, 409 it is full.
    """
    user = users.find_standing(user_id)
    is_active = user is not None and user["status"] == "active"
    added = {"member_ids": {"$concatArrays": ["$member_ids", [user_id]]}}
    conditions = [access.changes_project(caller), {"owner_id": {"$ne": user_id}}, {"member_ids": {"$ne": user_id}}]
    if is_active:
        update = _change(caller, {}, added)
        project = _update_people("project.add_member", project_id, user_id, [*conditions, NOT_FULL], update)
        if project is not None:
            return project
    project = seen(caller, project_id)
    _require_owner(caller, project)
    if not is_active:
        raise Problem("not_found", "Nobody of this id can be a member.")
    if user_id not in (project["owner_id"], *project["member_ids"]):
        raise Problem("project_full", f"A project has at most {MAX_MEMBERS} members.")
    return project


def _update_people(
    action: str, project_id: ObjectId, user_id: ObjectId, conditions: Sequence[Document], update: Sequence[Document]
) -> Document | None:
    """The project after a change to who is in it, written with its audit entry."""

    def work() -> Document | None:
        project = projects.update_project(project_id, conditions, update)
        if project is not None:
            entries.insert_entry(_entry_of_people(action, project, user_id))
        return project

    return services().connection.in_transaction(work)


def _entry_of_people(action: str, project: Document, user_id: ObjectId) -> Document:
    return audit.of_version(action, "projects", project, detail={"user_id": user_id})


def remove_member(caller: Principal, project_id: ObjectId, user_id: ObjectId) -> None:
    """Take somebody out, or leave oneself. The worker takes the project's tasks off them.

    Raises:
        Problem: 404 not to be seen or no member, 403 not theirs to change.
    """
    # Everybody may leave.
    allowed = access.EVERYTHING if user_id == caller.user_id else access.changes_project(caller)
    remaining = {"$filter": {"input": "$member_ids", "cond": {"$ne": ["$$this", user_id]}}}

    def work() -> Document | None:
        removed = _change(caller, {}, {"member_ids": remaining}, [user_id])
        project = projects.update_project(project_id, [allowed, {"member_ids": user_id}], removed)
        if project is not None:
            author = {"actor_id": caller.user_id, "request_id": g.get("request_id")}
            payload = {"project_id": project_id, "user_id": user_id, **author}
            late_writes.take_away("leave_project", payload)
            entries.insert_entry(_entry_of_people("project.remove_member", project, user_id))
        return project

    if services().connection.in_transaction(work) is None:
        project = seen(caller, project_id)
        if user_id != caller.user_id:
            _require_owner(caller, project)
        raise Problem("not_found", "No such member.")


def hand_over(caller: Principal, project_id: ObjectId, user_id: ObjectId, versions: Versions) -> Document:
    """The project, with a member as its owner and its owner as a member.

    Raises:
        Problem: 404, 412, 403 as `update`; 422 that person is no member.
    """
    others = {"$filter": {"input": "$member_ids", "cond": {"$ne": ["$$this", user_id]}}}
    computed = {"owner_id": user_id, "member_ids": {"$concatArrays": [others, ["$owner_id"]]}}
    conditions = [access.changes_project(caller), at_versions(versions), {"member_ids": user_id}]
    project = _update_people("project.hand_over", project_id, user_id, conditions, _change(caller, {}, computed))
    if project is not None:
        return project
    project = unless_stale(seen(caller, project_id), versions)
    _require_owner(caller, project)
    raise invalid("/user_id", "Must be a member of the project.")


def _require_owner(caller: Principal, project: Document) -> None:
    """Tells why a command missed: it was not allowed."""
    if access.changes_project(caller) not in (access.EVERYTHING, {"owner_id": project["owner_id"]}):
        raise Problem("forbidden", "This is for the project's owner.")


def delete(caller: Principal, project_id: ObjectId, tasks_become: str | None, versions: Versions) -> None:
    """Hide it at once; its tasks, and then itself, are the worker's. Without a choice its closed tasks are detached.

    Raises:
        Problem: 404, 412, 403 as `update`; 409 it has open tasks and no choice was made.
    """
    if tasks_become is None and tasks.find_open_task_of_project(project_id) is not None:
        _require_owner(caller, unless_stale(seen(caller, project_id), versions))
        raise Problem("project_has_tasks", "Finish them, or say ?tasks=detach or ?tasks=delete.")

    conditions = [access.changes_project(caller), at_versions(versions)]
    author = {"actor_id": caller.user_id, "request_id": g.get("request_id")}
    if hide(project_id, conditions, tasks_become or "detach", author) is None:
        raise missed(seen(caller, project_id), versions)


def hide(
    project_id: ObjectId, conditions: Sequence[Document], tasks_become: str, author: Mapping[str, Any]
) -> Document | None:
    """The project, seen by nobody any more, its end left to the worker; None where it does not meet `conditions`.

    `author` are `actor_id` and `request_id`.
    """

    def work() -> Document | None:
        update = change({"status": "deleting"}, **author, at=times.now())
        project = projects.update_project(project_id, conditions, update)
        if project is not None:
            late_writes.take_away("purge_project", {"project_id": project_id, "tasks": tasks_become, **author})
            before = {**project, "version": project["version"] - 1}
            entries.insert_entry(audit.deletion("projects", before, **author))
        return project

    return services().connection.in_transaction(work)

"""What a write of a task consists of: the document, the update, and whether the people it names may be named."""

from collections.abc import Callable, Mapping
from typing import Any

from bson import ObjectId
from flask import g

from . import access, times
from .auth import Principal
from .db import Document
from .errors import invalid
from .store import projects, users
from .store.owned import change, new_document
from .store.projects import taken_part_in_by

PEOPLE = ("project_id", "assignee_id")


def new_task(owner_id: ObjectId, fields: Mapping[str, Any]) -> Document:
    """A first version of a task, as it is stored."""
    now = times.now()
    completed_at = now if fields["status"] == "done" else None
    own = {"owner_id": owner_id, "completed_at": completed_at}
    return new_document({**fields, **own}, owner_id, g.get("request_id"), now)


def change_of(fields: Mapping[str, Any], actor_id: ObjectId) -> list[Document]:
    """The update that sets `fields`. A task that is done already keeps the time at which it was completed."""
    now = times.now()
    computed: dict[str, Any] = {}
    if fields.get("status") == "done":
        computed = {"completed_at": {"$cond": [{"$eq": ["$status", "done"]}, "$completed_at", now]}}
    elif "status" in fields:
        computed = {"completed_at": None}
    return change(fields, actor_id, g.get("request_id"), now, computed)


def check_people(
    caller: Principal, owner_id: ObjectId, fields: Mapping[str, Any], current: Callable[[], Document] | None = None
) -> None:
    """Refuse a project that the caller is not in or that takes no tasks, and an assignee who may not be one.

    An assignee is the owner, in the task's project, or, for a task without a project, any active user. A task that is
    there already (`current`) has those of the two that are not in `fields`, and may keep what it has.
    """
    named = {name: fields[name] for name in PEOPLE if name in fields}
    if not any(named.values()) and (current is None or not named):
        return
    before = current() if current else {}
    after = {name: named.get(name, before.get(name)) for name in PEOPLE}
    project_id, assignee_id = after["project_id"], after["assignee_id"]
    if project_id is not None and project_id != before.get("project_id"):
        _require_open_project(caller, project_id)
    if assignee_id not in (None, owner_id) and after != {name: before.get(name) for name in PEOPLE}:
        _require_assignable(assignee_id, project_id)


def _require_open_project(caller: Principal, project_id: ObjectId) -> None:
    project = projects.find_project(project_id, access.sees_project(caller))
    if project is None:
        raise invalid("/project_id", "No such project of yours.")
    if project["status"] != "active":
        raise invalid("/project_id", "The project is archived: it takes no more tasks.", "project_archived")


def _require_assignable(user_id: ObjectId, project_id: ObjectId | None) -> None:
    """In a project its members, without one anybody who is active."""
    if project_id is not None:
        may = projects.find_project(project_id, taken_part_in_by(user_id)) is not None
    else:
        user = users.find_standing(user_id)
        may = user is not None and user["status"] == "active"
    if not may:
        raise invalid("/assignee_id", "Nobody who can be given this task.")

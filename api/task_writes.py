"""What a write of a task consists of: the document, the update, and whether the people it names may be named."""

from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from flask import g

from . import access, times
from .auth import Principal
from .db import Document
from .errors import invalid
from .store import projects, tasks, users
from .store.owned import at_versions, change, new_document

at = at_versions


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
    owner_id: ObjectId, fields: Mapping[str, Any], caller: Principal, task_id: ObjectId | None = None
) -> None:
    """Refuse a project that the caller is not in, and an assignee who may not be one.

    An assignee is the owner, in the task's project, or, for a task without a project, any active user.
    """
    project_id, assignee_id = fields.get("project_id"), fields.get("assignee_id")
    if project_id is not None and projects.find_project_of(project_id, caller.user_id) is None:
        raise invalid("/project_id", "No such project of yours.")
    if assignee_id in (None, owner_id):
        return
    if "project_id" not in fields and task_id is not None:
        project_id = _project_of(owner_id, task_id)
    if not _may_be_assigned(assignee_id, project_id):
        raise invalid("/assignee_id", "Nobody who can be given this task.")


def _project_of(owner_id: ObjectId, task_id: ObjectId) -> ObjectId | None:
    task = tasks.find_task(owner_id, task_id, access.EVERYTHING)
    return task["project_id"] if task else None


def _may_be_assigned(user_id: ObjectId, project_id: ObjectId | None) -> bool:
    if project_id is not None:
        return projects.find_project_of(project_id, user_id) is not None
    user = users.find_standing(user_id)
    return user is not None and user["status"] == "active"

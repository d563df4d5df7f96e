"""Who may do what with a task, as filters: a rule is part of the query, never a check after the fetch. Pure.

The owner is known from the id, so one command covers owner and assignee. Members of the task's project need their
project ids: those are read, and a second command sent, only when the first one finds nothing.
"""

from collections.abc import Collection, Sequence

from bson import ObjectId

from .auth import Principal
from .db import Document

# What an assignee may change of a task that is not theirs.
ASSIGNEE_FIELDS = frozenset(("status", "position"))

EVERYTHING: Document = {}


def sees_task(caller: Principal, owner_id: ObjectId) -> Document:
    """The condition under which the caller sees a task of `owner_id` without looking at projects."""
    if caller.is_admin or caller.user_id == owner_id:
        return EVERYTHING
    return {"assignee_id": caller.user_id}


def changes_task(caller: Principal, owner_id: ObjectId, fields: Collection[str]) -> Document | None:
    """The condition under which the caller may change those fields; None when only a project could allow it."""
    if caller.is_admin or caller.user_id == owner_id:
        return EVERYTHING
    return {"assignee_id": caller.user_id} if ASSIGNEE_FIELDS.issuperset(fields) else None


def deletes_task(caller: Principal, owner_id: ObjectId) -> Document | None:
    """The condition under which the caller may delete a task: owners and admins alone."""
    return EVERYTHING if caller.is_admin or caller.user_id == owner_id else None


def in_projects(project_ids: Sequence[ObjectId]) -> Document:
    """The condition of a task that belongs to one of the caller's projects."""
    return {"project_id": {"$in": list(project_ids)}}

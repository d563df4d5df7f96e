"""Who may do what, as filters: a rule is part of the query, never a check after the fetch. Pure.

The owner is known from the id, so one command covers owner and assignee. Members of the task's project need their
project ids: those are read, and a second command sent, only when the first one finds nothing.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bson import ObjectId

from .auth import Principal
from .db import Document
from .store.projects import taken_part_in_by

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


def in_projects(project_ids: Sequence[ObjectId]) -> Document:
    """The condition of a task that belongs to one of the caller's projects."""
    return {"project_id": {"$in": list(project_ids)}}


def sees_project(caller: Principal) -> Document:
    """The condition under which the caller sees a project and adds tasks to it."""
    return EVERYTHING if caller.is_admin else taken_part_in_by(caller.user_id)


def changes_project(caller: Principal) -> Document:
    """The condition under which the caller changes a project and its members."""
    return EVERYTHING if caller.is_admin else {"owner_id": caller.user_id}


def sees_import(caller: Principal) -> Document:
    """The condition under which the caller sees an import and may end it."""
    return EVERYTHING if caller.is_admin else {"owner_id": caller.user_id}


def owns(caller: Principal, owner_id: ObjectId) -> Document | None:
    """The condition of what is its owner's and admins' alone."""
    return EVERYTHING if caller.is_admin or caller.user_id == owner_id else None


def changes_own(caller: Principal, owner_id: ObjectId, fields: Collection[str]) -> Document | None:
    """`owns`, whichever fields are changed."""
    del fields
    return owns(caller, owner_id)


@dataclass(frozen=True)
class Rules:
    """Who may do what with one kind of owned resource. Each rule gives a condition, or None: not without a project.

    `through_projects`: what a rule does not allow may be allowed to members of the item's project.
    """

    sees: Callable[[Principal, ObjectId], Document | None]
    changes: Callable[[Principal, ObjectId, Collection[str]], Document | None]
    deletes: Callable[[Principal, ObjectId], Document | None]
    through_projects: bool = False


OF_TASKS = Rules(sees_task, changes_task, owns, through_projects=True)
OWNER_ALONE = Rules(owns, changes_own, owns)

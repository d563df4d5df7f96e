"""Wire shapes of tasks."""

from typing import Any

from marshmallow import fields
from marshmallow.validate import Length

from cluster.collections import TASK_STATUSES

from .base import Strict
from .fields import Choice, Id, Instant, Int, Number, OwnedId, PersonId, PublicId, QueryInt, ShortList, Text
from .filters import Filter, page_parameters, query_schema

TITLE = {"example": "Write the report"}
DUE_AT = {"example": "2030-01-31T17:00:00Z"}


def _tags(**kwargs: Any) -> ShortList:
    return ShortList(Text(50, 1), 20, metadata={"example": ["reports"]}, **kwargs)


class TaskCreate(Strict):
    """A new task, and what PUT replaces: what is left out takes its default."""

    title = Text(200, 1, required=True, metadata=TITLE)
    description = Text(10_000, load_default="")
    status = Choice(*TASK_STATUSES, load_default="pending")
    priority = Int(1, 5, load_default=3)
    position = Number(load_default=None, allow_none=True)
    due_at = Instant(load_default=None, allow_none=True, metadata=DUE_AT)
    assignee_id = Id(load_default=None, allow_none=True)
    project_id = Id(load_default=None, allow_none=True)
    tags = _tags(load_default=list)


class TaskPatch(Strict):
    """A merge patch: what is left out stays. `null` clears what may be empty."""

    title = Text(200, 1)
    description = Text(10_000)
    status = Choice(*TASK_STATUSES, metadata={"example": "done"})
    priority = Int(1, 5)
    position = Number(allow_none=True)
    due_at = Instant(allow_none=True, metadata=DUE_AT)
    assignee_id = Id(allow_none=True)
    project_id = Id(allow_none=True)
    tags = _tags()


class Task(Strict):
    """A task as it is shown, alone and in lists."""

    id = OwnedId()
    title = fields.String()
    description = fields.String()
    status = Choice(*TASK_STATUSES)
    priority = Int(1, 5)
    position = Number(allow_none=True)
    due_at = Instant(allow_none=True)
    assignee_id = Id(allow_none=True)
    project_id = Id(allow_none=True)
    tags = fields.List(fields.String())
    owner_id = Id()
    created_at = Instant()
    updated_at = Instant()
    completed_at = Instant(allow_none=True)
    version = Int(1)


PRIORITIES = (1, 2, 3, 4, 5)
MAX_IDS = 100

# What a list may be asked, field by field. Each is served by an index with the sort that `paging` chooses for it.
TASK_FILTERS = (
    Filter("status", lambda: Choice(*TASK_STATUSES), ("eq", "neq", "in"), TASK_STATUSES),
    Filter("priority", lambda: QueryInt(1, 5), ("eq", "neq", "in", "gt", "gte", "lt", "lte"), PRIORITIES),
    Filter("due_at", lambda: Instant(), ("gt", "gte", "lt", "lte", "exists")),
    Filter("title", lambda: Text(200, 1), ("like",)),
)

TASK_SORTS = ("id", "due_at", "priority")
TASK_SCOPES = ("mine", "assigned", "project", "all")

TaskQuery = query_schema(
    "TaskQuery",
    TASK_FILTERS,
    TASK_SORTS,
    {
        "scope": Choice(
            *TASK_SCOPES,
            metadata={
                "description": "`mine` (default): of the caller; `assigned`: to them; `project`: of `project_id`; "
                "`all`: of everybody (admin)."
            },
        ),
        "project_id": Id(metadata={"description": "The project of `scope=project`."}),
        "assignee_id": PersonId(metadata={"description": "`me` is scope `assigned`; somebody else is for admins."}),
        "id": fields.List(
            PublicId(),
            validate=Length(1, MAX_IDS),
            metadata={"description": "Repeated: these tasks, in this order; with `fields` alone beside it."},
        ),
        **page_parameters(Task),
    },
)

"""Wire shapes of tasks."""

from typing import Any

from marshmallow import fields
from marshmallow.validate import Length

from cluster.collections import TASK_STATUSES

from .base import Shown, Strict
from .fields import (
    Choice,
    Expanded,
    Flag,
    Id,
    Instant,
    Int,
    Number,
    OwnedId,
    PersonId,
    PublicId,
    QueryInt,
    ShortList,
    Text,
)
from .filters import Filter, id_parameter, page_parameters, query_schema
from .names import PersonName, ProjectName
from .search import RANGE, REFERENCE, TEXT, Searchable, search_schema

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


class Task(Shown):
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
    owner = Expanded(PersonName)
    assignee = Expanded(PersonName)
    project = Expanded(ProjectName)


PRIORITIES = (1, 2, 3, 4, 5)

# What a list may be asked, field by field. Each is served by an index with the sort that `paging` chooses for it.
TASK_FILTERS = (
    Filter("status", lambda: Choice(*TASK_STATUSES), ("eq", "neq", "in"), TASK_STATUSES),
    Filter("priority", lambda: QueryInt(1, 5), ("eq", "neq", "in", "gt", "gte", "lt", "lte"), PRIORITIES),
    Filter("due_at", lambda: Instant(), ("gt", "gte", "lt", "lte", "exists")),
    Filter("title", lambda: Text(200, 1), ("like",)),
)

TASK_SORTS = ("id", "due_at", "priority")
TASK_SCOPES = ("mine", "assigned", "project", "all")

# Whose tasks.
TASK_SCOPE: dict[str, fields.Field] = {
    "scope": Choice(
        *TASK_SCOPES,
        metadata={
            "description": "`mine` (default): of the caller; `assigned`: to them; `project`: of `project_id`; "
            "`all`: of everybody (admin)."
        },
    ),
    "project_id": Id(metadata={"description": "The project of `scope=project`."}),
    "assignee_id": PersonId(metadata={"description": "`me` is scope `assigned`; somebody else is for admins."}),
}

TaskQuery = query_schema(
    "TaskQuery",
    TASK_FILTERS,
    TASK_SORTS,
    {
        **TASK_SCOPE,
        "id": id_parameter(PublicId()),
        **page_parameters(Task),
    },
)

EXPORT_FORMS = ("csv", "ndjson")

TaskExportQuery = query_schema(
    "TaskExportQuery",
    TASK_FILTERS,
    TASK_SORTS,
    {**TASK_SCOPE, "format": Choice(*EXPORT_FORMS, load_default="csv")},
    is_paged=False,
)

# What rules of a search may name. They look through the tasks of one scope, so no index has to serve each.
TASK_SEARCH = {
    "title": Searchable(Text(200, 1), TEXT),
    "description": Searchable(Text(10_000), ("like",)),
    "status": Searchable(Choice(*TASK_STATUSES), ("eq", "neq", "in")),
    "priority": Searchable(Int(1, 5), ("neq", "in", *RANGE)),
    "due_at": Searchable(Instant(), (*RANGE, "exists")),
    "created_at": Searchable(Instant(), RANGE),
    "updated_at": Searchable(Instant(), RANGE),
    "completed_at": Searchable(Instant(), (*RANGE, "exists")),
    "assignee_id": Searchable(Id(), REFERENCE),
    "project_id": Searchable(Id(), REFERENCE),
    "tags": Searchable(Text(50, 1), TEXT),
}

FILTERS_EXAMPLE = {
    "condition": "AND",
    "rules": [
        {"field": "status", "operator": "in", "value": ["pending", "in_progress"]},
        {
            "condition": "OR",
            "rules": [
                {"field": "title", "operator": "like", "value": "report"},
                {"field": "priority", "operator": "lte", "value": 2},
            ],
        },
    ],
}


TaskSearch = search_schema(
    "TaskSearch",
    Task,
    TASK_SORTS,
    FILTERS_EXAMPLE,
    {
        "scope": Choice(
            "mine",
            "assigned",
            "project",
            metadata={"description": "Look through tasks of the caller (default), to them, or of `project_id`."},
        ),
        "project_id": TASK_SCOPE["project_id"],
    },
)

MAX_OPERATIONS = 100


class BulkTasks(Strict):
    """Writes of tasks, each as it would be alone."""

    operations = fields.List(
        fields.Dict(keys=fields.String()),
        required=True,
        validate=Length(1, MAX_OPERATIONS),
        metadata={
            "description": "Each `{op: create, body}`, `{op: update, id, version, body}` or "
            "`{op: delete, id, version}`; `version` may be `*`.",
            "example": [
                {"op": "create", "body": {"title": "Write the report"}},
                {"op": "create", "body": {"title": "Send it", "priority": 1}},
            ],
        },
    )
    atomic = Flag(load_default=False, metadata={"description": "All of them, or none."})


class BulkResult(Strict):
    status = Int(200, 599, required=True)
    etag = fields.String()
    body = fields.Dict(metadata={"description": "What the same request alone would have answered."})


class BulkResults(Strict):
    results = fields.List(fields.Nested(BulkResult), required=True)

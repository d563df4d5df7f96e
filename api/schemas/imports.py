"""Wire shapes of imports, and the columns of their files."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import fields

from cluster.collections import IMPORT_STATES, MAX_IMPORT_ERRORS

from .. import cells
from .base import Shown, own_fields
from .fields import Choice, Id, Instant, Int
from .filters import page_parameters, query_schema
from .tasks import Task, TaskCreate

# How the cells of each column of a file are read.
COLUMNS: Mapping[str, Callable[[str], Any]] = {
    "title": cells.read_text,
    "description": cells.read_text,
    "status": cells.read_word,
    "priority": cells.read_integer,
    "position": cells.read_number,
    "due_at": cells.read_word,
    "assignee_id": cells.read_word,
    "project_id": cells.read_word,
    "tags": cells.read_list,
}
# What an export has and nobody writes: passed over.
READ_ONLY = tuple(name for name in own_fields(Task) if name not in COLUMNS)
KNOWN_COLUMNS = (*COLUMNS, *READ_ONLY)
REQUIRED_COLUMNS = tuple(name for name, field in TaskCreate().fields.items() if field.required)


class RowError(Shown):
    """What is wrong with a cell, or with a whole row (`/`)."""

    row = Int(2, metadata={"description": "As spreadsheets count: the names of the columns are row 1."})
    pointer = fields.String()
    detail = fields.String()


class ImportSummary(Shown):
    """An import as lists show it: without its errors."""

    id = Id(attribute="_id")
    state = Choice(*IMPORT_STATES)
    detail = fields.String(allow_none=True, metadata={"description": "Why it failed as a whole."})
    rows_total = Int(1, metadata={"description": "Rows that are not empty."})
    rows_done = Int(0, metadata={"description": "Rows that are tasks now."})
    rows_failed = Int(0, metadata={"description": "Rows that are none, each with its errors."})
    errors_total = Int(0)
    owner_id = Id()
    created_at = Instant()
    updated_at = Instant()
    finished_at = Instant(allow_none=True)


class Import(ImportSummary):
    """An import: how far it is, and what was wrong with which row."""

    errors = fields.List(
        fields.Nested(RowError),
        metadata={"description": f"The first {MAX_IMPORT_ERRORS}, in the order of the rows; the others are counted."},
    )


ImportQuery = query_schema("ImportQuery", (), ("id",), page_parameters(ImportSummary))

"""Makes tasks of the rows of an import, chunk by chunk, for a while: then others have their turn.

A chunk may be done twice: its tasks have ids that follow from the import and the row, and it is counted once. So a
worker that dies between its tasks and their count loses nothing and doubles nothing.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from bson import ObjectId
from pymongo.errors import PyMongoError

from .. import cells, task_writes, times
from ..auth import Principal
from ..db import Document, deadline
from ..errors import FieldError, Problem
from ..schemas.base import load
from ..schemas.imports import COLUMNS
from ..schemas.tasks import TaskCreate
from ..services import services
from ..store import import_chunks, imports, tasks, users

log = structlog.get_logger(__name__)

# Letters wait for no more than this.
TURN_S = 1.0
REFUSED_BY_DATABASE = (FieldError("/", "The database refused it."),)

_shape = TaskCreate()


def run_import(payload: Mapping[str, Any]) -> bool:
    """Go on with an import for a turn; whether there is more to do."""
    import_id, until = payload["import_id"], time.monotonic() + TURN_S
    while _do_chunk(import_id):
        if time.monotonic() > until:
            return True
    import_chunks.delete_chunks(import_id)
    return False


def _do_chunk(import_id: ObjectId) -> bool:
    """Do the next chunk; whether there is another. None of it takes longer than a write of the API may.

    Raises:
        PyMongoError: the database is away; the chunk will be done again.
    """
    with deadline(services().settings.deadline_write_ms):
        job = imports.find_import(import_id, {"state": imports.UNFINISHED})
        if job is None:
            return False
        try:
            return _advance(job)
        except PyMongoError:
            raise
        except Exception as error:  # what cannot be done now will not be possible later: others go on
            log.error("import_failed", import_id=str(import_id), error=type(error).__name__, exc_info=True)
            imports.fail_import(import_id, "It cannot be gone on with.", times.now())
            return False


def _advance(job: Document) -> bool:
    """Make tasks of the next chunk and count them; whether there is another."""
    owner, number = users.find_standing(job["owner_id"]), job["next_chunk"]
    chunk = import_chunks.find_chunk(job["_id"], number)
    if owner is None or owner["status"] != "active":
        imports.fail_import(job["_id"], "The account is not active.", times.now())
        return False
    if chunk is None:
        imports.fail_import(job["_id"], "It had to wait for too long: its rows are gone.", times.now())
        return False
    done, errors = _make_tasks(job, Principal(owner["_id"], owner["role"], "", 0), chunk["rows"])
    is_last, at = number + 1 == job["chunks"], times.now()
    fields = {"state": "done" if is_last else "running", "updated_at": at, "finished_at": at if is_last else None}
    counts = {"rows_done": done, "rows_failed": len(chunk["rows"]) - done, "errors_total": len(errors)}
    imports.advance_import(job["_id"], number, counts, errors, fields)
    return not is_last


def _make_tasks(job: Document, owner: Principal, rows: Sequence[Document]) -> tuple[int, list[Document]]:
    """How many rows are tasks now, and the errors of the others."""
    ids = {row["row"]: task_id_of(job["_id"], row["row"]) for row in rows}
    # Of a chunk that was broken off. What they name may not be named any more: they are not checked again.
    there = tasks.list_task_ids_among(owner.user_id, list(ids.values()))
    check, made, faults = Check(owner), {}, {}
    for row in rows:
        if ids[row["row"]] not in there:
            try:
                made[row["row"]] = _task(job, owner, row, check) | {"_id": ids[row["row"]]}
            except Problem as problem:
                faults[row["row"]] = problem.errors
    if made:
        refused = tasks.insert_tasks(list(made.values()))
        faults |= {number: REFUSED_BY_DATABASE for number, task in made.items() if task["_id"] in refused}
    errors = [
        {"row": number, "pointer": each.pointer, "detail": each.detail}
        for number in sorted(faults)
        for each in faults[number]
    ]
    return len(rows) - len(faults), errors


def task_id_of(import_id: ObjectId, row: int) -> ObjectId:
    """The id of a row's task: in the order of the rows, and as unlikely to be another's as any ObjectId."""
    machine = hashlib.sha256(import_id.binary).digest()[:5]
    return ObjectId(import_id.binary[:4] + machine + row.to_bytes(3, "big"))


def _task(job: Document, owner: Principal, row: Document, check: "Check") -> Document:
    """The task of a row, as a POST of the same fields would make it.

    Raises:
        Problem: what is wrong with which field.
    """
    columns, found = job["columns"], row["cells"]
    if len(found) != len(columns):
        detail = f"Must have {len(columns)} cells, one a column."
        raise Problem("invalid", errors=[FieldError("/", detail)])
    fields = load(_shape, cells.fields_of(COLUMNS, dict(zip(columns, found, strict=True))))
    check.people(fields)
    return task_writes.new_task(owner.user_id, fields) | {"request_id": job["request_id"]}


@dataclass(frozen=True)
class Check:
    """Whether an owner may name a project and an assignee: looked up once for each pair."""

    owner: Principal
    known: dict[tuple[Any, ...], Problem | None] = field(default_factory=dict)

    def people(self, fields: Mapping[str, Any]) -> None:
        """Raises Problem if they may not."""
        named = {name: fields[name] for name in task_writes.PEOPLE}
        pair = tuple(named.values())
        if pair not in self.known:
            self.known[pair] = self._problem(named)
        problem = self.known[pair]
        if problem is not None:
            raise problem

    def _problem(self, named: Mapping[str, Any]) -> Problem | None:
        try:
            task_writes.check_people(self.owner, self.owner.user_id, named)
        except Problem as problem:
            return problem
        return None

"""Imports: a CSV file becomes a job, whose rows the worker makes tasks of.

The file is looked through twice: first for what is wrong with it as a whole, then to keep its rows, in chunks that no
transaction could hold. The job comes last, with the worker's entry: what is there without a job goes by itself.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from bson import ObjectId
from flask import Response, g

from cluster.collections import MAX_CHUNK_ROWS

from . import access, csv_files, times
from .auth import Principal
from .csv_files import Row, Table
from .db import Document
from .errors import Problem, invalid, unavailable
from .idempotency import REPLAYED, once
from .responses import json_response
from .schemas.base import compile_dump
from .schemas.imports import KNOWN_COLUMNS, REQUIRED_COLUMNS, Import
from .services import services
from .store import import_chunks, imports, outbox

MAX_ROWS = 100_000
MAX_CHUNK_CHARS = 256 * 1024
# Imports of one person that wait or run, so that nobody fills the database with files. Requests that are looking
# through theirs at the same moment, at most `MAX_AT_ONCE` a process, may exceed it.
MAX_UNFINISHED = 3
RETRY_AFTER_S = 5
# Files that a process looks through at once: each takes a processor for a second.
MAX_AT_ONCE = 2
_SLOTS = threading.BoundedSemaphore(MAX_AT_ONCE)

dump_import = compile_dump(Import)


def start(caller: Principal, data: bytes, path: str) -> Response:
    """The answer to a POST: the caller's new import, to be found under `path`.

    Raises:
        Problem: 400 or 422, the file as a whole cannot be imported; 429, the caller has too many; 503, the process has.
    """
    if not _SLOTS.acquire(blocking=False):
        raise unavailable("imports", "Too many files are being looked through.")
    try:
        return _start(caller, data, path)
    finally:
        _SLOTS.release()


def _start(caller: Principal, data: bytes, path: str) -> Response:
    table = csv_files.read(data, KNOWN_COLUMNS, REQUIRED_COLUMNS)
    job = _new_import(caller, table.columns, _count(table))

    def check() -> None:
        _require_room(caller)
        job["chunks"] = _keep(job["_id"], table)

    def write() -> Response:
        services().connection.in_transaction(lambda: _insert(job))
        return json_response(dump_import(job), 202, {"Location": f"{path}/{job['_id']}"})

    try:
        response = once(caller, write, check)
    except Problem:
        _drop_rows(job)
        raise
    if REPLAYED in response.headers:
        _drop_rows(job)
    return response


def _drop_rows(job: Document) -> None:
    """Another request with the same key was quicker: nobody will want these rows."""
    if job["chunks"]:
        import_chunks.delete_chunks(job["_id"])


def _require_room(caller: Principal) -> None:
    if imports.count_unfinished_imports(caller.user_id) >= MAX_UNFINISHED:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        raise Problem("too_many_imports", "Wait for one of them to finish, or delete it.", headers=headers)


def _count(table: Table) -> int:
    """How many rows there are, which shows that all of the file can be read."""
    total = 0
    for total, _ in enumerate(table.rows(), 1):
        if total > MAX_ROWS:
            raise invalid("/", f"The file has more than {MAX_ROWS:,} rows.")
    if not total:
        raise invalid("/", "The file has no rows.")
    return total


def _keep(import_id: ObjectId, table: Table) -> int:
    """Write every row to the database; in how many chunks."""
    number, at = 0, times.now()
    for number, rows in enumerate(_chunks(table), 1):
        import_chunks.insert_chunk(import_id, number - 1, rows, at)
    return number


def _chunks(table: Table) -> Iterator[list[Document]]:
    """The rows by chunks. Of a row that is too long, one cell too many is kept, which tells."""
    most = len(table.columns) + 1
    chunk: list[Document] = []
    size = 0
    for row in table.rows():
        if chunk and (len(chunk) == MAX_CHUNK_ROWS or size + row.size > MAX_CHUNK_CHARS):
            yield chunk
            chunk, size = [], 0
        chunk.append(_kept(row, most))
        size += row.size
    if chunk:
        yield chunk


def _kept(row: Row, most: int) -> Document:
    return {"row": row.number, "cells": row.cells[:most]}


def _new_import(caller: Principal, columns: Sequence[str], total: int) -> Document:
    at = times.now()
    zeros: dict[str, Any] = dict.fromkeys(("chunks", "next_chunk", "rows_done", "rows_failed", "errors_total"), 0)
    return {
        "_id": ObjectId(),
        "owner_id": caller.user_id,
        "request_id": g.get("request_id"),
        "state": "waiting",
        "detail": None,
        "columns": list(columns),
        "rows_total": total,
        **zeros,
        "errors": [],
        "created_at": at,
        "updated_at": at,
        "finished_at": None,
    }


def _insert(job: Document) -> None:
    imports.insert_import(job)
    outbox.insert_entry("import", {"import_id": job["_id"]}, times.now())


def seen(caller: Principal, import_id: ObjectId) -> Document:
    """The import, if the caller may see it.

    Raises:
        Problem: 404.
    """
    job = imports.find_import(import_id, access.sees_import(caller))
    if job is None:
        raise Problem("not_found")
    return job


def forget(caller: Principal, import_id: ObjectId) -> None:
    """Forget the import. One that runs ends after the chunk at hand; what it has made stays.

    Raises:
        Problem: 404.
    """
    if not imports.delete_import(import_id, access.sees_import(caller)):
        raise Problem("not_found")
    import_chunks.delete_chunks(import_id)


def forget_all_of(owner_id: ObjectId, at_once: int) -> None:
    """Remove every import of a person. May be repeated."""
    while found := imports.list_import_ids_of_owner(owner_id, at_once):
        for import_id in found:
            imports.delete_import(import_id, {"owner_id": owner_id})
            import_chunks.delete_chunks(import_id)

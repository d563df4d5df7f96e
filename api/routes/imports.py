"""Imports of tasks from CSV files."""

from functools import partial
from typing import Any

from flask import Blueprint, Response

from .. import imports, lists
from ..auth import Principal
from ..endpoint import Endpoint, File, Kind, endpoint
from ..paging import Sort, chosen_sort
from ..responses import json_response, no_content, object_id
from ..schemas import imports as shapes
from ..schemas.base import compile_dump
from ..schemas.lists import page_of
from ..store import imports as store
from .owned import PREFIX

blueprint = Blueprint("imports", __name__)

dump_summary = compile_dump(shapes.ImportSummary)

NEWEST_FIRST = Sort("_id", descending=True)
EXAMPLE = (
    "title,status,priority,due_at,tags\r\n"
    "Write the report,pending,2,2030-01-31T17:00:00Z,reports;urgent\r\n"
    '"Read it, twice",done,,,\r\n'
)


@blueprint.post("/imports")
@endpoint(
    Endpoint(
        "Make tasks of the rows of a CSV file: the worker does it, the job tells how far it is",
        kind=Kind.WRITE,
        file=File("text/csv", "max_import_bytes", EXAMPLE),
        answers={202: shapes.Import},
        problems=("bad_csv", "too_many_imports"),
        idempotent=True,
    )
)
def create_import(caller: Principal, body: bytes) -> Response:
    return imports.start(caller, body, f"{PREFIX}/imports")


@blueprint.get("/imports")
@endpoint(
    Endpoint(
        "List the caller's imports, without their errors",
        kind=Kind.LIST,
        query=shapes.ImportQuery,
        answers={200: page_of(shapes.ImportSummary)},
        problems=("invalid_cursor",),
    )
)
def list_imports(caller: Principal, query: dict[str, Any]) -> Response:
    sort = chosen_sort(query, NEWEST_FIRST)
    read = partial(store.list_imports_of_owner, caller.user_id)
    count = partial(store.count_imports_of_owner, caller.user_id)
    listing = lists.Listing("imports", read, count, [], sort, f"imports {caller.user_id} {sort.name}")
    return lists.answer(listing, query, dump_summary)


@blueprint.get("/imports/<import_id>")
@endpoint(Endpoint("An import: how far it is, and what was wrong with which row", answers={200: shapes.Import}))
def get_import(caller: Principal, import_id: str) -> Response:
    return json_response(imports.dump_import(imports.seen(caller, object_id(import_id))))


@blueprint.delete("/imports/<import_id>")
@endpoint(
    Endpoint("End an import that is not finished, and forget it; its tasks stay", kind=Kind.WRITE, answers={204: None})
)
def delete_import(caller: Principal, import_id: str) -> Response:
    imports.forget(caller, object_id(import_id))
    return no_content()

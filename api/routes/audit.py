"""The audit trail, for admins."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Blueprint, Response

from .. import lists
from ..audit import ACTIONS
from ..auth import Principal
from ..endpoint import Access, Endpoint, Kind, endpoint
from ..errors import invalid
from ..lists import Listing
from ..paging import Sort, chosen_sort
from ..schemas import audit as shapes
from ..schemas.base import compile_dump
from ..schemas.filters import any_of, asked_fields, clauses
from ..schemas.lists import page_of
from ..store import audit as store

blueprint = Blueprint("audit", __name__)

dump_entry = compile_dump(shapes.AuditEntry)

NEWEST_FIRST = Sort("at", descending=True)

# What may be asked together, times aside, and the index that serves it.
INDEXES = {
    frozenset[str](): store.BY_TIME,
    frozenset(("actor_id",)): store.BY_ACTOR,
    frozenset(("action",)): store.BY_ACTION,
    frozenset(("resource",)): store.BY_ACTION,
    frozenset(("resource_id",)): store.BY_DOCUMENT,
    frozenset(("resource", "resource_id")): store.BY_DOCUMENT,
}


@blueprint.get("/audit")
@endpoint(
    Endpoint(
        "Who did what to which: by actor, by action, by resource, or by resource_id",
        Access.ADMIN,
        Kind.LIST,
        query=shapes.AuditQuery,
        answers={200: page_of(shapes.AuditEntry)},
        problems=("invalid_cursor",),
    )
)
def list_audit(caller: Principal, query: dict[str, Any]) -> Response:
    return lists.answer(plan(query), query, dump_entry)


def plan(query: Mapping[str, Any]) -> Listing:
    """The list that `query` means.

    Raises:
        Problem: 422, no index serves it.
    """
    asked = asked_fields(shapes.AUDIT_FILTERS, query) - {"at"}
    index = INDEXES.get(frozenset(asked))
    if index is None:
        raise invalid(
            f"/{min(asked)}", "Filter by one of actor_id, action, resource, resource_id: no index serves more."
        )
    sort, wanted = chosen_sort(query, NEWEST_FIRST), clauses(shapes.AUDIT_FILTERS, query)
    if asked == {"resource"}:
        # Each action is of one resource, so that the index on actions serves both.
        wanted = [each for each in wanted if "resource" not in each]
        wanted.append(any_of("action", ACTIONS[query["resource"]]))
    elif asked == {"resource_id"}:
        wanted.append(any_of("resource", shapes.RESOURCES))
    binding = f"audit {sort.name} {wanted}"
    read, count = partial(store.list_entries, index), partial(store.count_entries, index)
    estimate = None if wanted else store.estimate_entries
    return Listing("audit", read, count, wanted, sort, binding, estimate=estimate)

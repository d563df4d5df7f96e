"""Lists of the caller's reminders: which of them a query means, and that an index serves it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from cluster.collections import WORK_STATES

from .auth import Principal
from .errors import invalid
from .lists import Listing
from .paging import Clauses, Sort, chosen_sort
from .schemas.filters import any_of, asked_fields, clauses
from .schemas.reminders import REMINDER_FILTERS
from .store import reminders

NEWEST_FIRST, BY_NEXT = Sort("_id", descending=True), Sort("next_run_at")
# What the index on the next time begins with or has.
TIMED = {"state", "next_run_at"}


def plan(caller: Principal, query: Mapping[str, Any]) -> Listing:
    """The list that `query` means to `caller`.

    Raises:
        Problem: 422, no index serves it.
    """
    asked = asked_fields(REMINDER_FILTERS, query)
    sort = chosen_sort(query, BY_NEXT if asked & TIMED else NEWEST_FIRST)
    _require_index(sort, asked)
    wanted = _stored(clauses(REMINDER_FILTERS, query))
    if sort.field == "next_run_at" and "state" not in asked:
        wanted.append(any_of("state", WORK_STATES))
    # A filter on the field leaves no nulls, or nothing else.
    nullable = sort.field == "next_run_at" and "next_run_at" not in asked
    read = partial(reminders.list_reminders_of_owner, caller.user_id)
    count = partial(reminders.count_reminders_of_owner, caller.user_id)
    return Listing("reminders", read, count, wanted, sort, f"reminders {caller.user_id} {sort.name} {wanted}", nullable)


def _require_index(sort: Sort, asked: set[str]) -> None:
    """Refuse what would read many documents to show few."""
    if "task_id" in asked and (sort.field != "_id" or asked & TIMED):
        raise invalid("/task_id", "Is asked for alone, with sort=id.")
    if asked & TIMED and sort.field != "next_run_at":
        raise invalid("/sort", "Reminders filtered by state or next_run_at are sorted by next_run_at.")


def _stored(wanted: Clauses) -> Clauses:
    """Clauses on what is shown as clauses on what is stored."""
    return [_stored_clause(clause) for clause in wanted]


def _stored_clause(clause: Mapping[str, Any]) -> dict[str, Any]:
    if "task_id" in clause:
        owner_id, task_id = clause["task_id"]
        return {"task_owner_id": owner_id, "task_id": task_id}
    if "state" in clause:
        named = clause["state"]["$in"] if isinstance(clause["state"], dict) else [clause["state"]]
        # That a worker has it in hand is not shown.
        return any_of("state", [*named, "leased"] if "waiting" in named else named)
    return dict(clause)

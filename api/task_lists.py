"""Lists of tasks: which of them a query means, and that an index serves it. Reading is the store's.

An index serves a scope, a status and one more field. So a list is filtered by `due_at` or by `priority`, and sorted by
the same; an absent status means "any of the four", which those indexes begin with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cluster.collections import TASK_STATUSES

from . import access
from .auth import Principal, require_admin
from .cursors import Position
from .errors import invalid
from .paging import Clauses, Page, Read, Sort, chosen_sort, collect
from .schemas.filters import any_of, asked_fields, clauses
from .schemas.tasks import TASK_FILTERS
from .store import projects, tasks

BY_ID, BY_DUE = Sort("_id", descending=True), Sort("due_at")
Query = Mapping[str, Any]
RANGED = ("due_at", "priority")


@dataclass(frozen=True)
class TaskList:
    """A list that may be read. `binding` identifies it, for its cursors."""

    read: Read
    clauses: Clauses
    sort: Sort
    binding: str


def plan(caller: Principal, query: Mapping[str, Any]) -> TaskList:
    """The list that `query` means to `caller`.

    Raises:
        Problem: 403 not the caller's to see, 422 no index serves it.
    """
    scope = query["scope"]
    if (scope == "project") != ("project_id" in query):
        raise invalid("/project_id", "Is given with scope=project, and only there.")
    read = READERS[scope](caller, query)
    asked = asked_fields(TASK_FILTERS, query)
    sort = chosen_sort(query, _default_sort(scope, asked))
    _require_index(scope, sort, asked)
    wanted = clauses(TASK_FILTERS, query)
    if "status" not in asked and sort.field != "_id":
        wanted.append(any_of("status", TASK_STATUSES))
    of = query.get("project_id", caller.user_id)
    return TaskList(read, wanted, sort, f"tasks {scope} {of} {caller.user_id} {sort.name} {wanted}")


def read(wanted: TaskList, after: Position | None, limit: int) -> Page:
    """A page of that list."""
    return collect(wanted.read, wanted.clauses, wanted.sort, after, limit, nullable=wanted.sort.field == "due_at")


def _mine(caller: Principal, query: Query) -> Read:
    return partial(tasks.list_tasks_of_owner, caller.user_id)


def _assigned(caller: Principal, query: Query) -> Read:
    return partial(tasks.list_tasks_of_assignee, caller.user_id)


def _of_project(caller: Principal, query: Query) -> Read:
    project_id = query["project_id"]
    if projects.find_project(project_id, access.sees_project(caller)) is None:
        raise invalid("/project_id", "No such project of yours.")
    return partial(tasks.list_tasks_of_project, project_id)


def _all(caller: Principal, query: Query) -> Read:
    require_admin(caller)
    return tasks.list_all_tasks


READERS: dict[str, Callable[[Principal, Query], Read]] = {
    "mine": _mine,
    "assigned": _assigned,
    "project": _of_project,
    "all": _all,
}


def _default_sort(scope: str, asked: set[str]) -> Sort:
    if "priority" in asked:
        return Sort("priority")
    return BY_DUE if scope != "mine" or "due_at" in asked else BY_ID


def _require_index(scope: str, sort: Sort, asked: set[str]) -> None:
    """Refuse what would read many documents to show few."""
    if scope != "mine" and sort.field != "due_at":
        raise invalid("/sort", f"Tasks of scope {scope} are sorted by due_at.")
    for field in RANGED:
        if field in asked and sort.field != field:
            raise invalid(f"/{field}", f"Can be asked for only with sort={field}, and sort is {sort.name}.")

"""Lists of tasks: which of them a query means, and that an index serves it. Reading is the store's.

An index serves a scope, a status and one more field. So a list is filtered by `due_at` or by `priority`, and sorted by
the same; an absent status means "any of the four", which those indexes begin with. A text is looked for among the
caller's own tasks only.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from bson import ObjectId

from cluster.collections import TASK_STATUSES

from . import access
from .auth import Principal, require_admin
from .errors import invalid
from .lists import Count, Listing
from .paging import Clauses, Read, Sort, chosen_sort
from .schemas.filters import any_of, asked_fields, clauses
from .schemas.search import clause_of, residual
from .schemas.tasks import TASK_FILTERS, TASK_SEARCH
from .store import projects, tasks

BY_ID, BY_DUE = Sort("_id", descending=True), Sort("due_at")
RANGED = ("due_at", "priority")


def plan(caller: Principal, query: Mapping[str, Any]) -> Listing:
    """The list that `query` means to `caller`.

    Raises:
        Problem: 403 not the caller's to see, 422 no index serves it.
    """
    asked = asked_fields(TASK_FILTERS, query)
    scope, of = _scope(caller, query)
    sort = chosen_sort(query, _default_sort(scope, asked))
    _require_index(scope, sort, asked)
    return listing(caller, scope, of, clauses(TASK_FILTERS, query), sort, asked)


def search(caller: Principal, body: Mapping[str, Any]) -> Listing:
    """The list of those tasks of a scope that meet the rules of a search: at most the tasks of that scope are read.

    Raises:
        Problem: 422 that names the rule which is wrong, or a sort that no index serves.
    """
    clause, (scope, of) = residual(clause_of(TASK_SEARCH, body["filters"])), _scope(caller, body)
    sort = chosen_sort(body, _default_sort(scope, set()))
    _require_index(scope, sort, set())
    found = listing(caller, scope, of, [clause], sort, ())
    if scope != "mine":
        return found
    return replace(found, read=partial(tasks.search_tasks_of_owner, of, sort.field))


def listing(
    caller: Principal, scope: str, of: ObjectId, wanted: Clauses, sort: Sort, asked: Collection[str]
) -> Listing:
    """The list of what meets `wanted`, which asks for the fields `asked`, begun so that an index serves it."""
    read, count = READERS[scope](caller, of)
    is_everything = scope == "all" and not wanted
    if "status" not in asked and sort.field != "_id":
        wanted = [*wanted, any_of("status", TASK_STATUSES)]
    return Listing(
        "tasks",
        read,
        count,
        wanted,
        sort,
        f"tasks {scope} {of} {caller.user_id} {sort.name} {wanted}",
        # A filter on the field leaves no nulls, or nothing else.
        nullable=sort.field == "due_at" and "due_at" not in asked,
        estimate=tasks.estimate_tasks if is_everything else None,
    )


def _scope(caller: Principal, query: Mapping[str, Any]) -> tuple[str, ObjectId]:
    """The scope, and of which person or project: `assignee_id` is one too."""
    scope, assignee = query.get("scope"), query.get("assignee_id")
    if (scope == "project") != ("project_id" in query):
        raise invalid("/project_id", "Is given with scope=project, and only there.")
    if scope == "project" and assignee is None:
        return scope, query["project_id"]
    if assignee is None:
        return scope or "mine", caller.user_id
    if scope not in (None, "assigned"):
        raise invalid("/assignee_id", "Can be asked for only with scope=assigned.")
    person = caller.user_id if assignee == "me" else assignee
    if person != caller.user_id:
        require_admin(caller)
    return "assigned", person


def _mine(caller: Principal, person: ObjectId) -> tuple[Read, Count]:
    return partial(tasks.list_tasks_of_owner, person), partial(tasks.count_tasks_of_owner, person)


def _assigned(caller: Principal, person: ObjectId) -> tuple[Read, Count]:
    return partial(tasks.list_tasks_of_assignee, person), partial(tasks.count_tasks_of_assignee, person)


def _of_project(caller: Principal, project_id: ObjectId) -> tuple[Read, Count]:
    if projects.find_project(project_id, access.sees_project(caller)) is None:
        raise invalid("/project_id", "No such project of yours.")
    return partial(tasks.list_tasks_of_project, project_id), partial(tasks.count_tasks_of_project, project_id)


def _all(caller: Principal, person: ObjectId) -> tuple[Read, Count]:
    require_admin(caller)
    return tasks.list_all_tasks, tasks.count_all_tasks


READERS: dict[str, Callable[[Principal, ObjectId], tuple[Read, Count]]] = {
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
    if scope != "mine" and "title" in asked:
        raise invalid("/title__like", "Can be asked for only with scope=mine.")
    for field in RANGED:
        if field in asked and sort.field != field:
            raise invalid(f"/{field}", f"Can be asked for only with sort={field}, and sort is {sort.name}.")

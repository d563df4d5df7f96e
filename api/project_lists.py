"""Lists of projects and of the people in one: which of them a query means, and that an index serves it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bson import ObjectId

from . import access
from .auth import Principal, require_admin
from .db import Document
from .errors import invalid
from .lists import Count, Listing
from .paging import Clauses, Read, Sort, chosen_sort
from .schemas.filters import any_of, asked_fields, clauses
from .schemas.projects import PROJECT_FILTERS, STATUSES
from .store import projects, users

NEWEST_FIRST, BY_ID = Sort("_id", descending=True), Sort("_id")

Readers = tuple[Read, Count]


def plan(caller: Principal, query: Mapping[str, Any]) -> Listing:
    """The list that `query` means to `caller`.

    Raises:
        Problem: 403 not the caller's to see, 422 no index serves it.
    """
    scope, asked = query["scope"], asked_fields(PROJECT_FILTERS, query)
    read, count = READERS[scope](caller)
    if scope == "all" and "name" in asked:
        raise invalid("/name__like", "Cannot be asked for with scope=all.")
    wanted, sort = clauses(PROJECT_FILTERS, query), chosen_sort(query, NEWEST_FIRST)
    # The indexes begin with it; and one that is being deleted is in no list.
    if "status" not in asked:
        wanted.append(any_of("status", STATUSES))
    binding = f"projects {scope} {caller.user_id} {sort.name} {wanted}"
    estimate = projects.estimate_projects if scope == "all" and not asked else None
    return Listing("projects", read, count, wanted, sort, binding, estimate=estimate)


def _mine(caller: Principal) -> Readers:
    return partial(projects.list_projects_of, caller.user_id), partial(projects.count_projects_of, caller.user_id)


def _owned(caller: Principal) -> Readers:
    owner_id = caller.user_id
    return partial(projects.list_projects_of_owner, owner_id), partial(projects.count_projects_of_owner, owner_id)


def _all(caller: Principal) -> Readers:
    require_admin(caller)
    return projects.list_all_projects, projects.count_all_projects


READERS: dict[str, Callable[[Principal], Readers]] = {"mine": _mine, "owned": _owned, "all": _all}


def by_id(caller: Principal, project_ids: Sequence[ObjectId]) -> dict[ObjectId, Document]:
    """Those of the projects that are there and the caller's to see."""
    found = projects.list_projects_by_id(project_ids, access.sees_project(caller))
    return {project["_id"]: project for project in found}


def members(caller: Principal, project: Document, query: Mapping[str, Any]) -> Listing:
    """The list of who takes part in `project`, by id: they all stand in it."""
    people, sort = [project["owner_id"], *project["member_ids"]], chosen_sort(query, BY_ID)

    def read(wanted: Clauses, spec: Sequence[tuple[str, int]], limit: int, skip: int = 0) -> list[Document]:
        found = sorted(people, reverse=spec[0][1] < 0)
        for beyond in (clause["_id"] for clause in wanted):
            found = [who for who in found if (who > beyond["$gt"] if "$gt" in beyond else who < beyond["$lt"])]
        return [{"_id": who} for who in found[skip : skip + limit]]

    def count(wanted: Clauses, most: int) -> int:
        del wanted
        return min(len(people), most)

    binding = f"members {project['_id']} {caller.user_id} {sort.name}"
    return Listing("members", read, count, [], sort, binding, complete=partial(_with_names, project["owner_id"]))


def _with_names(owner_id: ObjectId, people: Sequence[Document]) -> list[Document]:
    """Those people with their names; whoever is being deleted has none any more."""
    names = {user["_id"]: user for user in users.list_names([each["_id"] for each in people])}
    nameless = {"username": "", "name": ""}
    return [{**each, **names.get(each["_id"], nameless), "role": _role(each["_id"], owner_id)} for each in people]


def _role(user_id: ObjectId, owner_id: ObjectId) -> str:
    return "owner" if user_id == owner_id else "member"

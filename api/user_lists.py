"""Lists of users for admins, and the directory, in which everybody finds people to give tasks to."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from bson import ObjectId

from .db import Document
from .errors import invalid
from .lists import Listing
from .names import beginning
from .paging import Sort, chosen_sort
from .schemas.accounts import USER_FILTERS
from .schemas.filters import asked_fields, clauses
from .store import users

NEWEST_FIRST = Sort("created_at", descending=True)
# Sorts after whatever a name can hold.
LAST_CHARACTER = "\U0010ffff"


def plan(query: Mapping[str, Any]) -> Listing:
    """The list of users that `query` means to an admin.

    Raises:
        Problem: 422, no index serves it.
    """
    asked = asked_fields(USER_FILTERS, query)
    if len(asked) > 1:
        raise invalid("/status", "Filter by role or by status: no index serves both.")
    sort, wanted = chosen_sort(query, NEWEST_FIRST), clauses(USER_FILTERS, query)
    estimate = None if asked else users.estimate_users
    binding = f"users {sort.name} {wanted}"
    return Listing("users", users.list_users, users.count_users, wanted, sort, binding, estimate=estimate)


def by_id(user_ids: Sequence[ObjectId]) -> dict[ObjectId, Document]:
    """Those of the users who are there, whole."""
    return {user["_id"]: user for user in users.list_users_by_id(user_ids)}


def directory(query: Mapping[str, Any]) -> Listing:
    """The active people whose username or display name begins as `q`.

    Raises:
        Problem: 422, it is to be sorted by the other name.
    """
    by, start = query.get("by", "username"), beginning(query.get("q", ""))
    sort = chosen_sort(query, Sort(by))
    if sort.field != by:
        raise invalid("/sort", f"People who are found by {by} are sorted by {by}.")
    field = f"{by}_folded"
    wanted = [{field: {"$gte": start, "$lt": start + LAST_CHARACTER}}]
    binding = f"directory {sort.name} {wanted}"
    return Listing(
        "people", partial(users.list_people, field), users.count_people, wanted, Sort(field, sort.descending), binding
    )


def names_by_id(user_ids: Sequence[ObjectId]) -> dict[ObjectId, Document]:
    """The names of those who are there, also of those who are disabled: they stand on tasks."""
    return {user["_id"]: user for user in users.list_names(user_ids)}

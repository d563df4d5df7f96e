"""Queries on tasks. The shard key is the owner and the id; lists across owners say so in their declaration."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo.errors import BulkWriteError

from ..db import Document
from .owned_queries import BY_OWNER, TOLD_OF_DELETIONS, Keys, Sort, all_of, owned_queries
from .query import Documents, queries_of

query = queries_of("tasks")

# https://github.com/mongodb/mongo/blob/v6.0/src/mongo/base/error_codes.yml
DUPLICATE_KEY, DOCUMENT_VALIDATION_FAILURE = 11000, 121

# Named to the server: at the end of a list, where little is left to read, it would as soon sort in memory.
BY_STATUS = [("status", 1), ("due_at", 1), ("_id", 1)]
BY_ASSIGNEE = [("assignee_id", 1), *BY_STATUS]
BY_PROJECT = [("project_id", 1), *BY_STATUS]
# Of one owner's tasks, by the field they are sorted by.
IN_ORDER: Mapping[str, Keys] = {
    "_id": BY_OWNER,
    "due_at": [("owner_id", 1), *BY_STATUS],
    "priority": [("owner_id", 1), ("status", 1), ("priority", 1), ("_id", 1)],
}

TASKS = owned_queries("tasks", "task")
insert_task, find_task = TASKS.insert_item, TASKS.find_item
update_task, delete_task = TASKS.update_item, TASKS.delete_item
list_tasks_of_owner, count_tasks_of_owner = TASKS.list_items_of_owner, TASKS.count_items_of_owner
delete_tasks = TASKS.delete_items


@query
def insert_tasks(tasks: Documents, made: Sequence[Document]) -> set[ObjectId]:
    """Insert tasks of one owner; the ids of those that the database's own rules refused.

    One whose id is there already is left as it is: it may be repeated with the same ids.

    Raises:
        PyMongoError: it is not known which were inserted.
    """
    try:
        tasks.insert_many(made, ordered=False)
    except BulkWriteError as error:
        return _refused(error)
    return set()


@query
def list_task_ids_among(tasks: Documents, owner_id: ObjectId, task_ids: Sequence[ObjectId]) -> set[ObjectId]:
    """Those ids that are tasks of this owner."""
    wanted = {"owner_id": owner_id, "_id": {"$in": list(task_ids)}}
    return {task["_id"] for task in tasks.find(wanted, {"_id": 1}).limit(len(task_ids))}


def _refused(error: BulkWriteError) -> set[ObjectId]:
    """The ids of documents that can never be inserted. Another failure is raised: it may pass."""
    details = error.details or {}
    codes = {each["code"] for each in details["writeErrors"]}
    if details["writeConcernErrors"] or not codes <= {DUPLICATE_KEY, DOCUMENT_VALIDATION_FAILURE}:
        raise error
    return {each["op"]["_id"] for each in details["writeErrors"] if each["code"] == DOCUMENT_VALIDATION_FAILURE}


@query
def search_tasks_of_owner(
    tasks: Documents,
    owner_id: ObjectId,
    field: str,
    clauses: Sequence[Document],
    sort: Sort,
    limit: int,
    skip: int = 0,
) -> list[Document]:
    """As `list_tasks_of_owner` for clauses of every kind, in order by `field`: by the index that has that order.

    Left to choose, the server would now and then find by another index and sort in memory.
    """
    found = tasks.find(all_of({"owner_id": owner_id}, clauses)).hint(IN_ORDER[field])
    return list(found.sort(sort).skip(skip).limit(limit))


@query
def list_tasks_of_assignee(
    tasks: Documents, assignee_id: ObjectId, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    found = tasks.find(all_of({"assignee_id": assignee_id}, clauses)).hint(BY_ASSIGNEE)
    return list(found.sort(sort).skip(skip).limit(limit))


@query
def count_tasks_of_assignee(tasks: Documents, assignee_id: ObjectId, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return tasks.count_documents(all_of({"assignee_id": assignee_id}, clauses), limit=most)


@query
def list_tasks_of_project(
    tasks: Documents, project_id: ObjectId, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    found = tasks.find(all_of({"project_id": project_id}, clauses)).hint(BY_PROJECT)
    return list(found.sort(sort).skip(skip).limit(limit))


@query
def count_tasks_of_project(tasks: Documents, project_id: ObjectId, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return tasks.count_documents(all_of({"project_id": project_id}, clauses), limit=most)


@query
def find_open_task_of_project(tasks: Documents, project_id: ObjectId) -> Document | None:
    """One that is pending or in progress, if there is any."""
    return tasks.find_one({"project_id": project_id, "status": {"$in": ["pending", "in_progress"]}}, {"_id": 1})


@query
def find_some_tasks_of_project(
    tasks: Documents, project_id: ObjectId, condition: Mapping[str, Any], limit: int
) -> list[Document]:
    """Up to `limit` tasks of a project that meet `condition`: their shard keys, and what their deletion tells."""
    return list(tasks.find({"project_id": project_id, **condition}, TOLD_OF_DELETIONS).limit(limit))


@query
def list_all_tasks(
    tasks: Documents, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    return list(tasks.find(all_of({}, clauses)).hint(BY_STATUS).sort(sort).skip(skip).limit(limit))


@query
def count_all_tasks(tasks: Documents, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return tasks.count_documents(all_of({}, clauses), limit=most)


@query
def count_of_owner(tasks: Documents, owner_id: ObjectId, at: datetime) -> list[Document]:
    """See `_figures`."""
    return list(tasks.aggregate(_figures({"owner_id": owner_id}, at)))


@query
def count_of_all(tasks: Documents, at: datetime) -> list[Document]:
    """See `_figures`."""
    return list(tasks.aggregate(_figures({}, at)))


def _figures(match: Document, at: datetime) -> list[Document]:
    """One row a status and priority: `{"_id": {"status", "priority"}, "count", "overdue"}`."""
    is_open = {"$in": ["$status", ["pending", "in_progress"]]}
    # null sorts below every date, so it needs its own test.
    is_late = {"$and": [is_open, {"$gt": ["$due_at", None]}, {"$lt": ["$due_at", at]}]}
    group = {"_id": {"status": "$status", "priority": "$priority"}, "count": {"$sum": 1}}
    return [{"$match": match}, {"$group": {**group, "overdue": {"$sum": {"$cond": [is_late, 1, 0]}}}}]


@query
def count_done_per_day_of_owner(tasks: Documents, owner_id: ObjectId, since: datetime, tz: str) -> list[Document]:
    """See `_done_per_day`."""
    return list(tasks.aggregate(_done_per_day({"owner_id": owner_id}, since, tz)))


@query
def count_done_per_day_of_all(tasks: Documents, since: datetime, tz: str) -> list[Document]:
    """See `_done_per_day`."""
    return list(tasks.aggregate(_done_per_day({}, since, tz)))


def _done_per_day(match: Document, since: datetime, tz: str) -> list[Document]:
    """One row a day: `{"_id": "2026-01-31", "count"}`, days as `tz` has them."""
    day = {"$dateToString": {"date": "$completed_at", "format": "%Y-%m-%d", "timezone": tz}}
    return [
        {"$match": {**match, "status": "done", "completed_at": {"$gte": since}}},
        {"$group": {"_id": day, "count": {"$sum": 1}}},
        {"$sort": {"_id": 1}},
    ]


@query
def estimate_tasks(tasks: Documents) -> int:
    """From metadata: quick, and orphans of a range on the move count twice."""
    return tasks.estimated_document_count()


@query
def find_some_tasks_of_assignee(tasks: Documents, assignee_id: ObjectId, limit: int) -> list[Document]:
    """The shard keys of up to `limit` tasks that are assigned to a person."""
    return list(tasks.find({"assignee_id": assignee_id}, {"owner_id": 1}).limit(limit))


@query
def unassign_task(
    tasks: Documents, owner_id: ObjectId, task_id: ObjectId, assignee_id: ObjectId, change: Sequence[Mapping[str, Any]]
) -> None:
    """Apply `change` if the task is still assigned to that person."""
    tasks.update_one({"owner_id": owner_id, "_id": task_id, "assignee_id": assignee_id}, change)

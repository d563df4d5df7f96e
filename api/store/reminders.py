"""Queries on reminders. The shard key is the owner and the id."""

from datetime import datetime

from bson import ObjectId

from ..db import Document
from .owned_queries import TOLD_OF_DELETIONS, owned_queries
from .query import Documents, queries_of

query = queries_of("reminders")

REMINDERS = owned_queries("reminders", "reminder")
list_reminders_of_owner, count_reminders_of_owner = REMINDERS.list_items_of_owner, REMINDERS.count_items_of_owner


@query
def find_some_reminders_of_task(
    reminders: Documents, task_owner_id: ObjectId, task_id: ObjectId, limit: int
) -> list[Document]:
    """Up to `limit` of those of one task, whosever they are, as far as their audit entries tell of them."""
    return list(reminders.find({"task_owner_id": task_owner_id, "task_id": task_id}, TOLD_OF_DELETIONS).limit(limit))


@query
def find_oldest_due(reminders: Documents, at: datetime) -> Document | None:
    """When the reminder that is due for longest was to run; those that are being worked on are late as well."""
    due = {"state": {"$in": ["waiting", "leased"]}, "next_run_at": {"$lte": at}}
    return reminders.find_one(due, {"next_run_at": 1}, sort=[("next_run_at", 1)])

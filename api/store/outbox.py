"""Queries on the outbox: work that a transaction leaves for the worker. The shard key is the id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument

from .. import times
from ..db import Document
from .query import Documents, queries_of

query = queries_of("outbox")

# The states of what is not done yet.
OPEN = ("waiting", "leased", "failed")


@query
def insert_entry(outbox: Documents, kind: str, payload: Mapping[str, Any], due: datetime) -> None:
    """Leave work of one kind; called in the transaction of what it follows from. Nothing is done before `due`."""
    outbox.insert_one(
        {
            "_id": ObjectId(),
            "kind": kind,
            "payload": dict(payload),
            "state": "waiting",
            "attempts": 0,
            "next_attempt_at": due,
            "lease_id": None,
            "lease_until": None,
            "created_at": times.now(),
            "done_at": None,
            "last_error": None,
        }
    )


@query
def find_due_entries(outbox: Documents, at: datetime, limit: int) -> list[Document]:
    """The ids of entries that wait for an attempt, or whose worker has let its lease run out.

    A leased entry's `next_attempt_at` is the end of its lease, so one index serves both.
    """
    due = {"state": {"$in": ["waiting", "leased"]}, "next_attempt_at": {"$lte": at}}
    return list(outbox.find(due, {"_id": 1}).sort([("next_attempt_at", 1)]).limit(limit))


@query
def lease_entry(outbox: Documents, entry_id: ObjectId, lease_id: str, at: datetime, until: datetime) -> Document | None:
    """The entry, ours until `until`; None when another worker was quicker."""
    return outbox.find_one_and_update(
        {"_id": entry_id, "state": {"$in": ["waiting", "leased"]}, "next_attempt_at": {"$lte": at}},
        {
            "$set": {"state": "leased", "lease_id": lease_id, "lease_until": until, "next_attempt_at": until},
            "$inc": {"attempts": 1},
        },
        return_document=ReturnDocument.AFTER,
    )


@query
def count_open_entries(outbox: Documents) -> list[Document]:
    """One row a kind and state that is not done: `{"_id": {"kind", "state"}, "count", "oldest"}`."""
    group = {"_id": {"kind": "$kind", "state": "$state"}, "count": {"$sum": 1}, "oldest": {"$min": "$created_at"}}
    return list(outbox.aggregate([{"$match": {"state": {"$in": list(OPEN)}}}, {"$group": group}]))


@query
def finish_entry(outbox: Documents, entry_id: ObjectId, lease_id: str, at: datetime) -> None:
    """Mark it done, unless the lease was lost meanwhile."""
    outbox.update_one(
        {"_id": entry_id, "lease_id": lease_id},
        {"$set": {"state": "done", "done_at": at, "lease_id": None, "lease_until": None, "last_error": None}},
    )


@query
def continue_entry(outbox: Documents, entry_id: ObjectId, lease_id: str, at: datetime) -> None:
    """Put it back to be gone on with at once: it did a part of its work, so its attempts count anew."""
    fields = {"state": "waiting", "attempts": 0, "next_attempt_at": at, "lease_id": None, "lease_until": None}
    outbox.update_one({"_id": entry_id, "lease_id": lease_id}, {"$set": fields})


@query
def postpone_entry(
    outbox: Documents, entry_id: ObjectId, lease_id: str, state: str, next_attempt_at: datetime, error: str
) -> None:
    """Put it back for another attempt, or with `state` "failed" for a person to look at."""
    fields = {"state": state, "next_attempt_at": next_attempt_at, "last_error": error}
    outbox.update_one(
        {"_id": entry_id, "lease_id": lease_id}, {"$set": {**fields, "lease_id": None, "lease_until": None}}
    )

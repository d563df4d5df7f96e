"""Queries on followers: how far a reader of the change stream has come. The shard key is the id, the reader's name.

The stream itself goes to every shard and cannot be explained, so opening it is no named query.
https://www.mongodb.com/docs/manual/changeStreams/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import Timestamp
from pymongo import ReturnDocument
from pymongo.change_stream import DatabaseChangeStream
from pymongo.errors import DuplicateKeyError

from ..audit import NOUNS
from ..db import Document
from ..services import services
from .migrations import find_first_migration
from .query import Documents, queries_of

query = queries_of("followers")

# Stands for the day on which the database was declared, see `first_day`.
BEGINNING = Timestamp(1, 1)

# How long the server waits for something new before it answers with nothing.
AWAIT_MS = 500


@dataclass(frozen=True)
class Start:
    """Where a stream begins: after the event of a token or, without one, at a time."""

    resume_token: Mapping[str, Any] | None
    start_at: Timestamp


@query
def take_follower(followers: Documents, name: str, lease_id: str, at: datetime, until: datetime) -> Document | None:
    """How far `name` has come, ours until `until`; None while another worker has it. A new one is at the beginning."""
    free = [{"lease_until": None}, {"lease_until": {"$lte": at}}, {"lease_id": lease_id}]
    lease = {"lease_id": lease_id, "lease_until": until}
    new = {"resume_token": None, "start_at": BEGINNING, "seen_at": None}
    try:
        return followers.find_one_and_update(
            {"_id": name, "$or": free},
            {"$set": lease, "$setOnInsert": new},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:
        return None


@query
def move_follower(followers: Documents, name: str, lease_id: str, start: Start, at: datetime, until: datetime) -> bool:
    """Note that `name` goes on from `start`, and keep the lease; False when it was lost meanwhile."""
    place = {"resume_token": start.resume_token, "start_at": start.start_at}
    moved = followers.update_one(
        {"_id": name, "lease_id": lease_id}, {"$set": {**place, "seen_at": at, "lease_until": until}}
    )
    return moved.matched_count == 1


@query
def release_follower(followers: Documents, name: str, lease_id: str) -> None:
    """Let another worker go on at once."""
    followers.update_one({"_id": name, "lease_id": lease_id}, {"$set": {"lease_id": None, "lease_until": None}})


def first_day() -> Timestamp:
    """When the database was declared: no change of a client is older.

    Of members that were copied from others the log does not begin on their cluster's first day, but before this one.
    """
    found = find_first_migration()
    return Timestamp(int(found["at"].timestamp()), 1) if found else BEGINNING


# Of new versions only what an audit entry needs: names of changed fields, and no value that somebody wrote.
_TOLD = {"version": 1, "updated_at": 1, "updated_by": 1, "request_id": 1, "last_change": 1}
_CHANGED = {"$map": {"input": {"$objectToArray": "$updateDescription.updatedFields"}, "in": "$$this.k"}}
VERSIONS: list[dict[str, Any]] = [
    {
        "$match": {
            "ns.coll": {"$in": list(NOUNS)},
            "$or": [
                {"operationType": {"$in": ["insert", "replace"]}},
                {"operationType": "update", "updateDescription.updatedFields.version": {"$exists": True}},
            ],
        }
    },
    {
        "$project": {
            "operationType": 1,
            "ns": 1,
            "documentKey": 1,
            "clusterTime": 1,
            "fullDocument": _TOLD,
            "updateDescription": {"updatedFields": _TOLD, "removedFields": 1, "truncatedArrays": 1},
            "fields": _CHANGED,
        }
    },
]


def open_versions(start: Start) -> DatabaseChangeStream[Document]:
    """The new versions of all documents that clients change, from `start` on, in the order of their writes.

    Raises:
        OperationFailure: 286 and others, when the oplogs do not reach back to `start`.
    """
    since: dict[str, Any] = {"resume_after": start.resume_token}
    if start.resume_token is None:
        since = {"start_at_operation_time": start.start_at}
    database = services().connection.database
    return database.watch(VERSIONS, max_await_time_ms=AWAIT_MS, comment="followers.open_versions", **since)


def present_time() -> Timestamp:
    """The cluster's time now: whatever was answered before is earlier."""
    reply = services().connection.client.admin.command("ping")
    found: Timestamp = reply["$clusterTime"]["clusterTime"]
    return found

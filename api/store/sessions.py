"""Queries on sessions, one a login. The shard key is the id (`sid`); those of one person are spread over the shards."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument

from ..db import Document
from .query import Documents, queries_of

query = queries_of("sessions")

# More logins than this are not shown; ending them goes on until there are none.
MAX_LISTED = 100


@query
def insert_session(sessions: Documents, session: Document) -> None:
    sessions.insert_one(session)


@query
def find_live_session(sessions: Documents, session_id: str, user_id: ObjectId) -> Document | None:
    """The id of a session that has not been revoked. Its tokens end before `expires_at` removes it."""
    return sessions.find_one({"_id": session_id, "user_id": user_id, "revoked_at": None}, {"_id": 1})


@query
def list_live_ids(sessions: Documents, session_ids: Sequence[str]) -> list[Document]:
    """The ids of those that have not been revoked."""
    return list(sessions.find({"_id": {"$in": list(session_ids)}, "revoked_at": None}, {"_id": 1}))


@query
def find_session(sessions: Documents, session_id: str) -> Document | None:
    return sessions.find_one({"_id": session_id})


@query
def rotate_session(
    sessions: Documents, session_id: str, secret_hash: str, at: datetime, change: Mapping[str, Any]
) -> Document | None:
    """Exchange the secret in one atomic step: of many callers with the same secret, one gets the session."""
    live = {"revoked_at": None, "expires_at": {"$gt": at}, "absolute_expires_at": {"$gt": at}}
    return sessions.find_one_and_update(
        {"_id": session_id, "secret_hash": secret_hash, **live},
        {"$set": {**change, "previous_hash": secret_hash, "rotated_at": at, "last_used_at": at}},
        return_document=ReturnDocument.AFTER,
    )


@query
def revoke_session(sessions: Documents, session_id: str, user_id: ObjectId, reason: str, at: datetime) -> bool:
    """Whether a live session of this user was ended. The document stays until it expires."""
    result = sessions.update_one(
        {"_id": session_id, "user_id": user_id, "revoked_at": None},
        {"$set": {"revoked_at": at, "revoked_reason": reason}},
    )
    return result.matched_count == 1


@query
def list_live_sessions(sessions: Documents, user_id: ObjectId, at: datetime, limit: int = MAX_LISTED) -> list[Document]:
    """The live sessions of a person, newest first."""
    live = {"user_id": user_id, "revoked_at": None, "expires_at": {"$gt": at}}
    return list(sessions.find(live).sort([("created_at", -1)]).limit(limit))

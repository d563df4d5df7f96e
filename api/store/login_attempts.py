"""Queries on the counters of failed logins. The shard key is the id: the account or address that is counted."""

from datetime import datetime
from typing import Any

from pymongo import ReturnDocument

from .query import Documents, queries_of

query = queries_of("login_attempts")


@query
def count_attempt(attempts: Documents, key: str, at: datetime, window_ends_at: datetime) -> tuple[int, datetime]:
    """Count one more and answer `(count, end of the window)`, in one atomic step for every worker.

    A window that has ended begins anew here: TTL deletion lags by up to a minute.
    """
    is_over = {"$lte": [{"$ifNull": ["$expires_at", at]}, at]}
    counted: dict[str, Any] = {
        "count": {"$cond": [is_over, 1, {"$add": ["$count", 1]}]},
        "expires_at": {"$cond": [is_over, window_ends_at, "$expires_at"]},
    }
    found = attempts.find_one_and_update(
        {"_id": key}, [{"$set": counted}], upsert=True, return_document=ReturnDocument.AFTER
    )
    return (found["count"], found["expires_at"]) if found else (1, window_ends_at)


@query
def take_back_attempt(attempts: Documents, key: str) -> None:
    """The attempt was no failure."""
    attempts.update_one({"_id": key, "count": {"$gt": 0}}, {"$inc": {"count": -1}})


@query
def forget_attempts(attempts: Documents, key: str) -> None:
    """Somebody proved to be who they say: the count begins anew."""
    attempts.delete_one({"_id": key})

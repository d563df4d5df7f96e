"""Queries on the counters of failed logins and of other requests. The shard key is the id: what is counted, of whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from pymongo import ReturnDocument

from ..db import Document
from .query import Documents, queries_of

query = queries_of("login_attempts")

# Locks double; more doublings than this pass every maximum.
MAX_DOUBLINGS = 20


@dataclass(frozen=True)
class Limit:
    """How many failures are let pass, for how long they count, and how long the locks after them are, in seconds."""

    tries: int
    window_s: int
    lock_s: int
    max_lock_s: int


@dataclass(frozen=True)
class Attempt:
    """An attempt that was counted, or refused because of a lock. `locked_until` is that lock, or the one that this
    attempt has set."""

    is_refused: bool
    locked_until: datetime | None


@query
def count_attempt(attempts: Documents, key: str, at: datetime, limit: Limit) -> Attempt:
    """Count one more, unless there is a lock, in one atomic step for every worker of every host.

    The last try sets the lock before it is made, so that many at once cannot pass together. After a lock one try is
    left, and each lock is twice as long as the one before, until nobody has failed for a window.
    """
    after = attempts.find_one_and_update(
        {"_id": key}, _counting(at, limit), upsert=True, return_document=ReturnDocument.AFTER
    )
    found = cast(Document, after)
    is_locked = found["locked_until"] is not None and found["locked_until"] > at
    return Attempt(found["refused"], found["locked_until"] if is_locked else None)


def _counting(at: datetime, limit: Limit) -> list[dict[str, Any]]:
    is_over = _is_over(at)
    doublings = {"$pow": [2, {"$min": ["$locks", MAX_DOUBLINGS]}]}
    lock_s = {"$min": [limit.max_lock_s, {"$multiply": [limit.lock_s, doublings]}]}
    sets_lock = {"$and": [{"$not": "$refused"}, {"$gte": ["$count", limit.tries]}]}
    window_ms = limit.window_s * 1000
    return [
        {
            "$set": {
                "refused": {"$gt": [{"$ifNull": ["$locked_until", at]}, at]},
                "count": {"$cond": [is_over, 0, "$count"]},
                "locks": {"$cond": [is_over, 0, {"$ifNull": ["$locks", 0]}]},
                "expires_at": {"$cond": [is_over, {"$add": [at, window_ms]}, "$expires_at"]},
                "locked_until": {"$ifNull": ["$locked_until", None]},
            }
        },
        {"$set": {"count": {"$cond": ["$refused", "$count", {"$add": ["$count", 1]}]}}},
        {"$set": {"sets_lock": sets_lock}},
        {
            "$set": {
                "locked_until": {
                    "$cond": ["$sets_lock", {"$add": [at, {"$multiply": [lock_s, 1000]}]}, "$locked_until"]
                }
            }
        },
        {
            "$set": {
                "count": {"$cond": ["$sets_lock", limit.tries - 1, "$count"]},
                "locks": {"$toInt": {"$add": ["$locks", {"$cond": ["$sets_lock", 1, 0]}]}},
                "expires_at": {"$cond": ["$sets_lock", {"$add": ["$locked_until", window_ms]}, "$expires_at"]},
            }
        },
        {"$unset": "sets_lock"},
    ]


@query
def count_request(attempts: Documents, key: str, at: datetime, window_s: int) -> tuple[int, datetime]:
    """How many there are in the window, this one among them, and when it ends; in one atomic step for every worker.

    No lock follows, and nothing is taken back: whoever waits for the next window has all of it.
    """
    counting = {
        "count": {"$add": [{"$cond": [_is_over(at), 0, "$count"]}, 1]},
        "expires_at": {"$cond": [_is_over(at), at + timedelta(seconds=window_s), "$expires_at"]},
    }
    unlocked = {"refused": False, "locks": 0, "locked_until": None}
    after = attempts.find_one_and_update(
        {"_id": key}, [{"$set": {**counting, **unlocked}}], upsert=True, return_document=ReturnDocument.AFTER
    )
    found = cast(Document, after)
    return found["count"], found["expires_at"]


def _is_over(at: datetime) -> Document:
    """Whether there is no window that runs. One that has ended begins anew: TTL deletion lags by up to a minute."""
    return {"$lte": [{"$ifNull": ["$expires_at", at]}, at]}


@query
def take_back_attempt(attempts: Documents, key: str, at: datetime) -> None:
    """One that was counted was no failure. A lock was then set for one too few, whichever of them has set it."""
    is_locked = {"$gt": ["$locked_until", at]}
    fewer = {name: {"$toInt": {"$max": [0, {"$subtract": [f"${name}", 1]}]}} for name in ("count", "locks")}
    counted = {
        "count": {"$cond": [is_locked, "$count", fewer["count"]]},
        "locks": {"$cond": [is_locked, fewer["locks"], "$locks"]},
        "locked_until": {"$cond": [is_locked, None, "$locked_until"]},
    }
    attempts.update_one({"_id": key}, [{"$set": counted}])


@query
def forget_attempts(attempts: Documents, key: str) -> None:
    """Somebody proved to be who they say: the count begins anew."""
    attempts.delete_one({"_id": key})

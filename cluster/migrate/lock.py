"""One migration at a time, also from two machines: a lock with expiry in the cluster itself.

Its document carries a number that grows with each owner. Whatever an owner notes is refused once a later owner exists,
so one that was frozen past its expiry and goes on can spoil nothing. https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
"""

import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from ..errors import ClusterError

LOCK_ID = "lock"
# Longer than an election; what a killed command holds is free after that.
LOCK_S = 30.0
RENEWALS = 3


class LockLost(ClusterError):
    """Another command may be migrating now. What this one noted stays; run it again, and it goes on from there."""

    def __init__(self) -> None:
        super().__init__(
            "The migration lock was lost, so this command stopped: look at `scripts/cluster migrate status`, "
            "then run it again."
        )


class Lock:
    """Held while the `with` block runs; renewed by a thread of its own.

    Attributes:
        fence: the number of this owner; greater than that of every owner before.
    """

    def __init__(self, migrations: Collection[dict[str, Any]], seconds: float = LOCK_S) -> None:
        self._migrations = migrations
        self._seconds = seconds
        self._owner = uuid.uuid4().hex
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_ended, daemon=True)
        self._good_until = 0.0
        self.fence = 0

    def __enter__(self) -> "Lock":
        """Raises ClusterError when somebody else holds it; the message says who and until when."""
        started = time.monotonic()
        self.fence = self._take()
        self._good_until = started + self._seconds
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        try:
            # Free at once; a router that does not answer leaves it to its expiry.
            self._migrations.update_one({"_id": LOCK_ID, "owner": self._owner}, [{"$set": {"until": "$$NOW"}}])
        except PyMongoError:
            return

    def require(self) -> None:
        """Raises LockLost when the lock has expired, or another owner has taken it."""
        if time.monotonic() >= self._good_until:
            raise LockLost

    def _take(self) -> int:
        free = {"_id": LOCK_ID, "$expr": {"$lte": ["$until", "$$NOW"]}}
        holder = {"owner": self._owner, "by": f"{socket.gethostname()} (pid {os.getpid()})", "since": "$$NOW"}
        taken = {**holder, "fence": {"$add": ["$fence", 1]}, "until": self._expiry()}
        never = {"fence": 0, "until": datetime(2000, 1, 1, tzinfo=UTC)}
        with suppress(DuplicateKeyError):
            # Two first owners at once: one of them makes the document.
            self._migrations.update_one({"_id": LOCK_ID}, {"$setOnInsert": never}, upsert=True)
        found = self._migrations.find_one_and_update(free, [{"$set": taken}], return_document=ReturnDocument.AFTER)
        if found is None:
            raise ClusterError(self._held())
        return int(found["fence"])

    def _held(self) -> str:
        found = self._migrations.find_one({"_id": LOCK_ID}) or {}
        return (
            f"A migration is running on {found.get('by')} since {found.get('since'):%H:%M:%S} UTC: wait until it has "
            f"ended; one that was killed holds its lock until {found.get('until'):%H:%M:%S} UTC."
        )

    def _expiry(self) -> dict[str, Any]:
        """By the server's clock: those of two machines may differ."""
        return {"$add": ["$$NOW", int(self._seconds * 1000)]}

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(self._seconds / RENEWALS):
            started = time.monotonic()
            try:
                mine = {"_id": LOCK_ID, "owner": self._owner, "$expr": {"$gt": ["$until", "$$NOW"]}}
                done = self._migrations.update_one(mine, [{"$set": {"until": self._expiry()}}])
            except PyMongoError:
                # The next try may do; if none does in time, the lock expires and `require` says so.
                continue
            if not done.matched_count:
                self._good_until = 0.0
                return
            self._good_until = started + self._seconds

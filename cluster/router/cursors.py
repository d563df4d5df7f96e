"""Which member holds a cursor, and the router's own sessions for those of `cluster*` commands."""

import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bson import Binary

from .errors import CommandError

if TYPE_CHECKING:
    from .members import ReplicaSet
    from .streams import ChangeStream

# As mongod's cursorTimeoutMillis.
IDLE_LIMIT_S = 600.0
MAX_CURSORS = 10_000
UID = Binary(hashlib.sha256(b"shardboard-router").digest())


@dataclass
class Cursor:
    """A cursor on a member. `session` is set for one of a `cluster*` command: only ending it kills the cursor."""

    id: int
    namespace: str
    owner: str
    shard: "ReplicaSet"
    address: str
    versions: Mapping[str, Any]
    session: Mapping[str, Any] | None = None
    # The client's session in which it was opened, and must be read.
    lsid: Mapping[str, Any] | None = None
    used_at: float = field(default_factory=time.monotonic)


class Cursors:
    """Open cursors by id. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, Cursor | ChangeStream] = {}
        self._sessions: list[Mapping[str, Any]] = []

    def __len__(self) -> int:
        return len(self._open)

    def add(self, cursor: "Cursor | ChangeStream") -> None:
        with self._lock:
            if len(self._open) >= MAX_CURSORS:
                raise CommandError("TooManyFilesOpen", f"{MAX_CURSORS} cursors are open through this router")
            self._open[cursor.id] = cursor

    def find(self, cursor_id: int, owner: str) -> "Cursor | ChangeStream":
        """An open cursor of this user.

        Raises: CommandError CursorNotFound, Unauthorized.
        """
        cursor = self._open.get(cursor_id)
        if cursor is None:
            raise CommandError("CursorNotFound", f"cursor id {cursor_id} not found")
        if cursor.owner != owner:
            raise CommandError("Unauthorized", f"cursor id {cursor_id} was not created by the authenticated user")
        cursor.used_at = time.monotonic()
        return cursor

    def remove(self, cursor_id: int) -> None:
        with self._lock:
            cursor = self._open.pop(cursor_id, None)
        if isinstance(cursor, Cursor) and cursor.session is not None:
            self.give_back(cursor.session)

    def idle(self) -> "list[Cursor | ChangeStream]":
        """Cursors that nobody has used for too long."""
        limit = time.monotonic() - IDLE_LIMIT_S
        with self._lock:
            return [cursor for cursor in self._open.values() if cursor.used_at < limit]

    def of_owner(self, owner: str) -> "list[Cursor | ChangeStream]":
        """The open cursors of a user."""
        with self._lock:
            return [cursor for cursor in self._open.values() if cursor.owner == owner]

    def borrow_session(self) -> Mapping[str, Any]:
        """A logical session of the router's own, for one `cluster*` command and its cursor."""
        with self._lock:
            if self._sessions:
                return self._sessions.pop()
        return {"id": Binary(secrets.token_bytes(16), 4), "uid": UID}

    def give_back(self, session: Mapping[str, Any]) -> None:
        with self._lock:
            self._sessions.append(session)

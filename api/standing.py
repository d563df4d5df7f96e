"""Whether the session behind a token still stands, and with which role: read rarely, remembered for two seconds.

A verified token is not enough: its session may have ended and its user may have been disabled since it was issued.
"""

import time
from collections.abc import Callable

from bson import ObjectId

from .tokens import Claims

# A logout, a disabled user or a change of role is seen by every process within this time.
FRESH_S = 2.0
REMEMBERED = 10_000

ReadRole = Callable[[str, ObjectId], str | None]


class SessionCache:
    """The present role of each session that called lately; None where it has ended or its user may not come in."""

    def __init__(self, read_role: ReadRole, clock: Callable[[], float] = time.monotonic) -> None:
        self._read_role = read_role
        self._clock = clock
        self._known: dict[str, tuple[float, str | None]] = {}

    def role_of(self, claims: Claims, fresh: bool = False) -> str | None:
        """The role behind `claims`, read anew when `fresh` or when the last answer is too old."""
        asked_at = self._clock()
        known = None if fresh else self._known.get(claims.session_id)
        if known and asked_at - known[0] < FRESH_S:
            return known[1]
        role = self._read_role(claims.session_id, claims.user_id)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[claims.session_id] = (asked_at, role)
        return role

    def forget(self, session_id: str) -> None:
        """The session has changed: read it at its next call. Other processes learn of it within `FRESH_S`."""
        self._known.pop(session_id, None)

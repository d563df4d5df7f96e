"""Whether the session behind a token still stands, and with which role: read rarely, remembered for two seconds.

A verified token is not enough: its session may have ended and its user may have been disabled since it was issued.
Each process remembers for itself, or, with `MEMCACHED_SERVERS`, all processes of all hosts together: then the end of a
session is seen by all of them at once.
"""

import hashlib
import hmac
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from bson import ObjectId
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheError

from .tokens import Claims

# A logout, a disabled user or a change of role is seen by every process within this time.
FRESH_S = 2.0
REMEMBERED = 10_000

# memcached counts whole seconds. An answer that took longer to read than the rest of FRESH_S is not kept.
SHARED_S = 1
LABEL = b"shardboard standing 1"
# A cache that is slower than the database is none.
TIMEOUT_S = 0.2
# A server that does not answer is left alone for so long.
DEAD_S = 5

ReadRole = Callable[[str, ObjectId], str | None]
Clock = Callable[[], float]


class SessionCache(ABC):
    """The present role of each session that called lately; None where it has ended or its user may not come in."""

    def __init__(self, read_role: ReadRole, clock: Clock = time.monotonic) -> None:
        self._read_role = read_role
        self._clock = clock

    def role_of(self, claims: Claims, fresh: bool = False) -> str | None:
        """The role behind `claims`, read anew when `fresh` or when no answer is remembered."""
        known = None if fresh else self._recall(claims)
        if known is not None:
            return known or None
        asked_at = self._clock()
        role = self._read_role(claims.session_id, claims.user_id)
        self._remember(claims, role or "", asked_at)
        return role

    @abstractmethod
    def _recall(self, claims: Claims) -> str | None:
        """The role that is remembered, empty for a session that has ended; None when nothing is."""

    @abstractmethod
    def _remember(self, claims: Claims, role: str, asked_at: float) -> None:
        """Keep an answer until `FRESH_S` after it was asked for, at most."""

    @abstractmethod
    def forget(self, session_id: str) -> None:
        """The session has changed: read it at its next call."""


class OwnCache(SessionCache):
    """That of one process: others learn of a change within `FRESH_S`."""

    def __init__(self, read_role: ReadRole, clock: Clock = time.monotonic) -> None:
        super().__init__(read_role, clock)
        self._known: dict[str, tuple[float, str]] = {}

    def _recall(self, claims: Claims) -> str | None:
        known = self._known.get(claims.session_id)
        return known[1] if known and self._clock() - known[0] < FRESH_S else None

    def _remember(self, claims: Claims, role: str, asked_at: float) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[claims.session_id] = (asked_at, role)

    def forget(self, session_id: str) -> None:
        self._known.pop(session_id, None)


class SharedCache(SessionCache):
    """That of all processes, in memcached. Where it does not answer, the database is asked, as without it.

    Whoever can write to memcached must not become an admin: what is kept there is signed.
    """

    def __init__(
        self,
        read_role: ReadRole,
        servers: Sequence[tuple[str, int]],
        keys: Sequence[tuple[str, str]],
        threads: int,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(read_role, clock)
        self._keys = [hmac.digest(secret.encode(), LABEL, "sha256") for _, secret in keys]
        self._servers = HashClient(
            list(servers),
            connect_timeout=TIMEOUT_S,
            timeout=TIMEOUT_S,
            no_delay=True,
            use_pooling=True,
            max_pool_size=threads,
            ignore_exc=True,
            # A logout is answered when what was remembered has gone, not when its removal has been sent.
            default_noreply=False,
            retry_attempts=0,
            dead_timeout=DEAD_S,
        )

    def _recall(self, claims: Claims) -> str | None:
        kept = self._ask("get", _key(claims.session_id))
        role, _, signature = kept.decode(errors="replace").partition(".") if isinstance(kept, bytes) else ("", "", "")
        good = any(hmac.compare_digest(signature.encode(), _sign(key, claims, role).encode()) for key in self._keys)
        return role if good else None

    def _remember(self, claims: Claims, role: str, asked_at: float) -> None:
        if self._clock() - asked_at < FRESH_S - SHARED_S:
            value = f"{role}.{_sign(self._keys[0], claims, role)}"
            self._ask("set", _key(claims.session_id), value, expire=SHARED_S)

    def forget(self, session_id: str) -> None:
        self._ask("delete", _key(session_id))

    def _ask(self, command: str, *arguments: object, **options: object) -> object:
        try:
            return getattr(self._servers, command)(*arguments, **options)
        except (MemcacheError, OSError):
            return None


def _key(session_id: str) -> str:
    """A session's id is half of a secret, and may be longer than a key."""
    return "shardboard:" + hashlib.sha256(session_id.encode()).hexdigest()[:40]


def _sign(key: bytes, claims: Claims, role: str) -> str:
    """Of the role of this session and this user, and no other."""
    return hmac.new(key, f"{claims.session_id} {claims.user_id} {role}".encode(), "sha256").hexdigest()

"""Passwords: what may be one, and Argon2id with a limit on how many are hashed at once.

Parameters per the OWASP password storage cheat sheet: 19 MiB, 2 passes, 1 lane.
https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from prometheus_client import Gauge

T = TypeVar("T")

MIN_CHARACTERS = 8
# A longer one only costs us time.
MAX_BYTES = 128

# Those of the usual lists that are long enough to be tried here.
COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").split())


def problem_of(password: str, *names: str) -> str | None:
    """Why `password` is refused, in one sentence; None when it may be used.

    `names` are the username and e-mail, which it may not be.
    """
    if len(password) < MIN_CHARACTERS:
        return f"Must have at least {MIN_CHARACTERS} characters."
    if len(password.encode()) > MAX_BYTES:
        return f"Must have at most {MAX_BYTES} bytes."
    lowered = password.casefold()
    if lowered in COMMON or len(set(password)) < 2:
        return "Is one of the most common passwords."
    if any(name and lowered == name.casefold() for name in names):
        return "Must not be the username or the e-mail address."
    return None


class TooManyHashes(Exception):
    """Every slot stayed taken for as long as a request may wait. Nothing was hashed; try again later."""


class Passwords:
    """Hashes and checks, at most `slots` at once in this process.

    A flood of logins would otherwise take every core and all memory: one hash costs 20 ms and 19 MiB.
    """

    def __init__(self, memory_kib: int, passes: int, lanes: int, slots: int, wait_ms: int, taken: Gauge) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)
        self._slots = threading.BoundedSemaphore(slots)
        self._wait_s = wait_ms / 1000
        self._taken = taken
        # Threads of their own: malloc keeps a hash's memory for the thread that made it, and there are many others.
        self._threads = ThreadPoolExecutor(slots, "argon2")

    def hash(self, password: str) -> str:
        """The hash to store.

        Raises:
            TooManyHashes: every slot was taken for too long.
        """
        return self._in_slot(lambda: self._hasher.hash(password))

    def matches(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one of `stored`; None (no such user) takes as long and is False."""
        return self._in_slot(lambda: self._verify(stored or self._nobody, password)) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """`stored` was made with other parameters: hash again at the next login."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _nobody(self) -> str:
        """Checked for a user who does not exist, so that the answer takes as long as for one who does."""
        return self._hasher.hash("nobody has this password")

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    def _in_slot(self, work: Callable[[], T]) -> T:
        if not self._slots.acquire(timeout=self._wait_s):
            raise TooManyHashes
        try:
            with self._taken.track_inprogress():
                return self._threads.submit(work).result()
        finally:
            self._slots.release()

"""Guessing of passwords is slowed down before a password is hashed: per account and per address, for all processes.

An attempt is counted before it is made and taken back when it was no failure, so that many at once cannot pass
together. Too many failures lock the counter, each time for longer. When it cannot be read, nobody is let through.

What else anybody may ask for without a token is counted per address alone.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from . import times
from .config import Settings
from .errors import Problem
from .names import fold
from .services import services
from .store import login_attempts
from .store.login_attempts import Attempt, Limit

# Letters in a window that can be asked for to one address.
LETTERS_TO_ONE = 5

# A counter and what it said.
Counted = tuple[str, Attempt]


def account_key(name: str) -> str:
    """The counter of one account, by its id or, where there is none, the name that was tried; hashed, since people
    type e-mail addresses and passwords there."""
    return "account:" + hashlib.sha256(fold(name).encode()).hexdigest()


def address_key(address: str) -> str:
    """The counter of one network address."""
    return f"address:{address[:64]}"


@dataclass(frozen=True)
class Admission:
    """An attempt that may be made; it counts as a failure unless it is taken back."""

    account: Counted
    address: Counted


def admit(settings: Settings, name: str, address: str) -> Admission:
    """Count an attempt to log in.

    Raises:
        Problem: 429, there is a lock after too many failures; says when it ends.
    """
    account = _count(settings, account_key(name), settings.login_tries_account)
    try:
        return Admission(account, _count(settings, address_key(address), settings.login_tries_address))
    except Problem:
        take_back(account)
        raise


def admit_letter(settings: Settings, email: str, address: str) -> None:
    """Count a letter that somebody asks for.

    Raises:
        Problem: 429, too many were asked for to that address, or from this one.
    """
    _count(settings, "letters:" + account_key(email), LETTERS_TO_ONE)
    _count(settings, "letters:" + address_key(address), settings.login_tries_address)


def admit_request(settings: Settings, limit: str, address: str) -> None:
    """Count a request, of those of which an address has so many in a window as the setting `limit` says.

    Raises:
        Problem: 429, it has had them; says when the window ends.
    """
    at = times.now()
    count, ends_at = login_attempts.count_request(f"{limit}:{address_key(address)}", at, settings.login_window_s)
    if count > getattr(settings, limit):
        raise _refused(limit, ends_at, at)


def _count(settings: Settings, key: str, tries: int) -> Counted:
    at = times.now()
    limit = Limit(tries, settings.login_window_s, settings.login_lock_s, settings.login_lock_max_s)
    attempt = login_attempts.count_attempt(key, at, limit)
    if attempt.is_refused:
        raise _refused(key.partition(":")[0], attempt.locked_until or at, at)
    return key, attempt


def succeeded(admission: Admission) -> None:
    """The attempt was no failure: whoever made it owns the account, and may have mistyped before."""
    login_attempts.forget_attempts(admission.account[0])
    take_back(admission.address)


def unchecked(admission: Admission) -> None:
    """The attempt was admitted and no password was looked at: who repeats it, as the 503 says, is not locked out."""
    take_back(admission.account)
    take_back(admission.address)


def take_back(counted: Counted) -> None:
    """An attempt was no failure."""
    login_attempts.take_back_attempt(counted[0], times.now())


def unlock(user_id: ObjectId) -> None:
    """Forget the failures of an account, and the lock after them."""
    login_attempts.forget_attempts(account_key(str(user_id)))


def _refused(counter: str, ends_at: datetime, at: datetime) -> Problem:
    services().metrics.throttled.labels(counter).inc()
    wait_s = max(1, math.ceil((ends_at - at).total_seconds()))
    return Problem("too_many_requests", "Too many tries.", headers={"Retry-After": str(wait_s)})

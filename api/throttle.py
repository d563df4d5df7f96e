"""Guessing of passwords is slowed down before a password is hashed: per account and per address, for all processes.

An attempt is counted before it is made and taken back when it was no failure, so that many at once cannot pass
together. When the counter cannot be read, nobody is let through.
"""

import hashlib
from datetime import datetime, timedelta

from . import times
from .config import Settings
from .errors import Problem
from .names import fold
from .store import login_attempts


def account_key(name: str) -> str:
    """The counter of one account, by its id or, where there is none, the name that was tried; hashed, since people
    type e-mail addresses and passwords there."""
    return "account:" + hashlib.sha256(fold(name).encode()).hexdigest()


def address_key(address: str) -> str:
    """The counter of one network address."""
    return f"address:{address[:64]}"


def admit(settings: Settings, name: str, address: str) -> None:
    """Count an attempt to log in.

    Raises:
        Problem: 429, too many failed in this window; says when it ends.
    """
    limits = {account_key(name): settings.login_tries_account, address_key(address): settings.login_tries_address}
    at = times.now()
    for key, limit in limits.items():
        count, ends_at = login_attempts.count_attempt(key, at, at + timedelta(seconds=settings.login_window_s))
        if count > limit:
            raise _limited(ends_at, at)


def succeeded(name: str, address: str) -> None:
    """The attempt was no failure."""
    login_attempts.forget_attempts(account_key(name))
    login_attempts.take_back_attempt(address_key(address))


def unchecked(name: str, address: str) -> None:
    """The attempt was admitted and no password was looked at: who repeats it, as the 503 says, is not locked out."""
    for key in (account_key(name), address_key(address)):
        login_attempts.take_back_attempt(key)


def _limited(ends_at: datetime, at: datetime) -> Problem:
    wait_s = max(1, round((ends_at - at).total_seconds()))
    return Problem("too_many_requests", "Too many failed logins.", headers={"Retry-After": str(wait_s)})

"""Tickets: what a browser's `EventSource`, which sends no header, shows instead of its access token.

A ticket opens one stream, soon, for the session that asked for it. It is stored hashed, and it ends with being looked
at: of several who come with it, one gets in, whichever process they come to.
"""

import secrets
from datetime import timedelta

from . import times
from .auth import Principal, read_role
from .errors import Problem
from .store import tickets
from .tokens import hash_secret

LIFETIME_S = 30


def issue(caller: Principal) -> str:
    """A new one for the caller."""
    ticket = secrets.token_urlsafe(32)
    tickets.insert_ticket(
        {
            "_id": hash_secret(ticket),
            "session_id": caller.session_id,
            "user_id": caller.user_id,
            "token_expires_at": caller.token_expires_at,
            "expires_at": times.now() + timedelta(seconds=LIFETIME_S),
        }
    )
    return ticket


def redeem(ticket: str) -> Principal:
    """Who asked for the ticket, if their session lives; what it opens ends with their access token.

    Raises:
        Problem: 401.
    """
    found = tickets.take_ticket(hash_secret(ticket))
    # TTL deletion lags by up to a minute.
    if found is None or found["expires_at"] <= times.now():
        raise Problem("unauthenticated", "The ticket was used or is too old: POST /api/v1/changes/ticket for another.")
    role = read_role(found["session_id"], found["user_id"])
    if role is None:
        raise Problem("unauthenticated", "The session has ended: log in again.")
    return Principal(found["user_id"], role, found["session_id"], found["token_expires_at"])

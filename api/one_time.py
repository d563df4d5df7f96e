"""One-time tokens that go out in letters: whoever sends one back reads the mailbox of its address.

A token is 256 random bits, stored hashed, and gone once it is used. It is made by the worker when the letter goes out,
so no queue and no log ever holds it. It holds for the address and the password that the user had then.
"""

import secrets
from datetime import timedelta

from flask import g

from . import accounts, audit, passwords, throttle, times
from .db import Document
from .errors import Problem, invalid
from .services import services
from .store import audit as entries
from .store import email_tokens, outbox, users
from .store.owned import change
from .tokens import hash_secret

RESET, VERIFY = "reset_password", "verify_email"


def issue(user: Document, purpose: str) -> str:
    """A new token for a letter to `user`."""
    secret, at, settings = secrets.token_urlsafe(32), times.now(), services().settings
    lifetime_s = settings.reset_token_s if purpose == RESET else settings.verify_token_s
    email_tokens.insert_token(
        {
            "_id": hash_secret(secret),
            "purpose": purpose,
            "user_id": user["_id"],
            "email": user["email"],
            "token_version": user["token_version"],
            "created_at": at,
            "expires_at": at + timedelta(seconds=lifetime_s),
        }
    )
    return secret


def ask_for_reset(email: str, address: str) -> None:
    """Have a letter sent to whoever has that address. Whether somebody has it does not show, not even in the time.

    Raises:
        Problem: 429, too many letters were asked for.
    """
    throttle.admit_letter(services().settings, email, address)
    outbox.insert_entry("letter", {"letter": RESET, "email": email}, times.now())


def ask_for_verification(user: Document, address: str) -> None:
    """Have a letter sent to the user's address.

    Raises:
        Problem: 409, the address is verified already; 429, too many letters were asked for.
    """
    if user["email_verified_at"] is not None:
        raise Problem("email_verified")
    throttle.admit_letter(services().settings, user["email"], address)
    outbox.insert_entry("letter", {"letter": VERIFY, "user_id": user["_id"]}, times.now())


def reset_password(token: str, password: str) -> None:
    """Set a new password and end every session; failed logins are forgotten, and the address is verified by it.

    Raises:
        Problem: 422, the token is not one that may be used, or the password may not be one.
    """
    user = _user_of(token, RESET)
    problem = passwords.problem_of(password, user["username"], user["email"])
    if problem:
        raise invalid("/new_password", problem)
    at, hashed = times.now(), services().passwords.hash(password)
    computed = {"token_version": {"$add": ["$token_version", 1]}}
    fields = {"password_hash": hashed, "email_verified_at": user["email_verified_at"] or at}
    update = change(fields, user["_id"], g.get("request_id"), at, computed)

    def work() -> None:
        changed = _spend(token, RESET, user, update)
        outbox.insert_entry("letter", {"letter": "password_changed", "user_id": user["_id"]}, at)
        entries.insert_entry(audit.of_version("auth.password_reset", "users", changed))

    services().connection.in_transaction(work)
    accounts.end_sessions(user["_id"], "password_reset")
    throttle.unlock(user["_id"])


def verify_email(token: str) -> None:
    """Note that the user's address is theirs.

    Raises:
        Problem: 422, the token is not one that may be used.
    """
    user, at = _user_of(token, VERIFY), times.now()
    update = change({"email_verified_at": at}, user["_id"], g.get("request_id"), at)
    services().connection.in_transaction(lambda: _spend(token, VERIFY, user, update))


def _user_of(token: str, purpose: str) -> Document:
    """The active user whom `token` was sent to, if neither their address nor their password has changed since."""
    found = email_tokens.find_token(hash_secret(token), purpose, times.now())
    user = users.find_user(found["user_id"]) if found else None
    if not found or not user or user["status"] != "active" or not _still_holds(found, user):
        raise _unusable()
    return user


def _still_holds(token: Document, user: Document) -> bool:
    return bool(token["email"] == user["email"] and token["token_version"] == user["token_version"])


def _spend(token: str, purpose: str, user: Document, update: list[Document]) -> Document:
    """Take the token and change the user whom it was checked against, in the transaction that runs."""
    unchanged = {name: user[name] for name in ("email", "token_version", "status")}
    if email_tokens.take_token(hash_secret(token), purpose, times.now()) is None:
        raise _unusable()
    changed = users.update_user(user["_id"], unchanged, update)
    if changed is None:
        raise _unusable()
    return changed


def _unusable() -> Problem:
    return invalid("/token", "Is used, expired or not ours: ask for a new letter.", "bad_token")

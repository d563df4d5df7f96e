"""Logging in and staying logged in: sessions, their access tokens and the rotation of their refresh tokens."""

from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from flask import request

from . import accounts, audit, throttle, times
from .db import Document
from .errors import Problem, invalid
from .passwords import TooManyHashes
from .services import services
from .store import audit as entries
from .store import sessions, users
from .tokens import BadToken, hash_secret, join_refresh_token, new_session_id, split_refresh_token

# Two tabs, or a lost answer: the secret before the present one is no theft yet.
GRACE_S = 10


def log_in(username: str | None, email: str | None, password: str) -> dict[str, Any]:
    """A new session's tokens.

    Raises:
        Problem: 401 whichever of name and password is wrong, 429 after too many failures.
    """
    here, address = services(), request.remote_addr or ""
    user = accounts.find_by_name(username, email)
    # One counter an account, by whichever of its names it is tried.
    name = str(user["_id"]) if user else username or email or ""
    stored = user["password_hash"] if user else None
    admission, matches = _checked(stored, password, name, address)
    if user is None or not matches or user["status"] != "active":
        reason = "unknown_user" if user is None else "disabled" if matches else "wrong_password"
        _note_failure("auth.login", user, reason, admission)
        raise Problem("bad_credentials")
    throttle.succeeded(admission)
    rehashed = here.passwords.hash(password) if here.passwords.is_outdated(user["password_hash"]) else None
    tokens = open_session(user)
    users.note_login(user["_id"], times.now(), rehashed)
    return tokens


def _checked(stored: str | None, password: str, name: str, address: str) -> tuple[throttle.Admission, bool]:
    """Whether the password is that of `stored`; the attempt counts as a failure until `throttle.succeeded`.

    Raises:
        Problem: 429, too many failures.
        TooManyHashes: nothing was checked, and nothing counted.
    """
    here = services()
    admission = throttle.admit(here.settings, name, address)
    try:
        return admission, here.passwords.matches(stored, password)
    except TooManyHashes:
        throttle.unchecked(admission)
        raise


def _note_failure(action: str, user: Document | None, reason: str, admission: throttle.Admission | None = None) -> None:
    """Write down that a password was refused, and until when its account is locked if this was one too many.

    Known accounts and unknown ones cost the same one insert, on a shard that its random id decides. Where it fails the
    answer is 503 for either, since what cannot be recorded is not answered; the attempt stays counted. Attempts that a
    lock refuses unseen are not written down: nobody may fill the trail from outside.
    """
    locked_until = admission.account[1].locked_until if admission else None
    user_id = user["_id"] if user else None
    told = {"reason": reason, "address": _address(), "locked_until": locked_until}
    entries.insert_entry(audit.of_account(action, user_id, None, told, ok=False))


def _address() -> str:
    """Where the request comes from."""
    return (request.remote_addr or "")[:64]


def open_session(user: Document) -> dict[str, Any]:
    """Tokens of a new session of `user`, whose password has just been checked.

    Raises:
        Problem: 401, the password was changed or the user disabled while it was being checked.
    """
    session_id = new_session_id()
    secret = services().token_keys.new_secret(session_id)
    sessions.insert_session(_new_session(session_id, user["_id"], secret))
    # After the insert: a change of password that did not see this session is seen here.
    standing = users.find_standing(user["_id"])
    if not standing or standing["status"] != "active" or standing["token_version"] != user["token_version"]:
        sessions.revoke_session(session_id, user["_id"], "user_changed", times.now())
        _note_failure("auth.login", user, "user_changed")
        raise Problem("bad_credentials")
    # Before anybody has the tokens: there is no login that is not noted.
    told = {"session_id": session_id, "address": _address()}
    entries.insert_entry(audit.of_account("auth.login", user["_id"], user["_id"], told))
    return _tokens(session_id, user["_id"], standing["role"], secret)


def _new_session(session_id: str, user_id: ObjectId, secret: str) -> Document:
    at, settings = times.now(), services().settings
    return {
        "_id": session_id,
        "user_id": user_id,
        "secret_hash": hash_secret(secret),
        "previous_hash": None,
        "rotated_at": at,
        "created_at": at,
        "last_used_at": at,
        "expires_at": _idle_end(at, at + timedelta(seconds=settings.refresh_absolute_s)),
        "absolute_expires_at": at + timedelta(seconds=settings.refresh_absolute_s),
        "revoked_at": None,
        "user_agent": request.headers.get("User-Agent", "")[:300],
        "address": _address(),
    }


def _idle_end(at: datetime, absolute_end: datetime) -> datetime:
    """When a session ends unless it is used; its access token must not outlive the document."""
    return min(at + timedelta(seconds=services().settings.refresh_idle_s), absolute_end)


def rotate(refresh_token: str) -> dict[str, Any]:
    """New tokens for the bearer of the present secret; of several at once, for one of them.

    Raises:
        Problem: 409 for the secret before it within `GRACE_S`, else 401. Any other that was replaced ends the session.
    """
    try:
        session_id, secret = split_refresh_token(refresh_token)
    except BadToken:
        raise Problem("bad_refresh_token") from None
    at, fresh = times.now(), services().token_keys.new_secret(session_id)
    known = sessions.find_session(session_id)
    if known is None:
        raise Problem("bad_refresh_token")
    change = {"secret_hash": hash_secret(fresh), "expires_at": _idle_end(at, known["absolute_expires_at"])}
    session = sessions.rotate_session(session_id, hash_secret(secret), at, change)
    if session is None:
        raise _refused(session_id, secret, at)
    user = users.find_standing(session["user_id"])
    if not user or user["status"] != "active":
        raise Problem("bad_refresh_token")
    return _tokens(session_id, session["user_id"], user["role"], fresh)


def _refused(session_id: str, secret: str, at: datetime) -> Problem:
    """What to say to a secret that is not the present one. A secret we never gave out ends nothing."""
    session, secret_hash = sessions.find_session(session_id), hash_secret(secret)
    if session is None or session["revoked_at"] or session["secret_hash"] == secret_hash:
        return Problem("bad_refresh_token")
    if session["previous_hash"] == secret_hash and at - session["rotated_at"] <= timedelta(seconds=GRACE_S):
        return Problem("refresh_superseded", "Use the refresh token of the newer answer.")
    # Whoever stole it may have rotated several times before its owner comes with the one that was stolen.
    if session["previous_hash"] != secret_hash and not services().token_keys.gave_out(session_id, secret):
        return Problem("bad_refresh_token")
    end_session(session_id, session["user_id"], "refresh_reused")
    return Problem("bad_refresh_token", "The token was used before: the session has been ended.")


# Why a session ends -> what the audit trail calls it.
ENDINGS = {"logout": "auth.logout", "ended_by_user": "auth.session_end", "refresh_reused": "auth.refresh_reuse"}


def end_session(session_id: str, user_id: ObjectId, reason: str) -> bool:
    """Whether a live session was ended; with its audit entry, in one transaction."""
    # Whoever comes with a token that was used before is not known to be the user.
    is_theirs = reason != "refresh_reused"
    told = {"session_id": session_id, "address": _address()}

    def work() -> bool:
        ended = sessions.revoke_session(session_id, user_id, reason, times.now())
        if ended:
            actor_id = user_id if is_theirs else None
            entries.insert_entry(audit.of_account(ENDINGS[reason], user_id, actor_id, told, ok=is_theirs))
        return ended

    ended = services().connection.in_transaction(work)
    services().standing.forget(session_id)
    return ended


def end_every_session(user_id: ObjectId) -> None:
    """End every session of a person who asks for it. It is noted first, and the rest may be repeated."""
    entries.insert_entry(audit.of_account("auth.logout_all", user_id, user_id, {"address": _address()}))
    accounts.end_sessions(user_id, "logout_all")


def _tokens(session_id: str, user_id: ObjectId, role: str, secret: str) -> dict[str, Any]:
    keys = services().token_keys
    return {
        "access_token": keys.issue(user_id, session_id, role),
        "refresh_token": join_refresh_token(session_id, secret),
        "token_type": "Bearer",
        "expires_in": keys.lifetime_s,
    }


def check_password(user: Document, password: str) -> None:
    """Raise 422 unless it is the user's, counting failures as a login does."""
    name, address = str(user["_id"]), request.remote_addr or ""
    admission, matches = _checked(user["password_hash"], password, name, address)
    if not matches:
        _note_failure("auth.password_change", user, "wrong_password", admission)
        raise invalid("/current_password", "Is not the present password.")
    throttle.succeeded(admission)

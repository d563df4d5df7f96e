"""What takes several documents of a person together: signing up, changing names, ending sessions, deleting.

Each is one transaction, so a claim never outlives its user and a letter is never sent for what did not happen.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from bson import ObjectId
from flask import g

from . import audit, late_writes, names, throttle, times
from .db import Document
from .errors import Problem
from .responses import unless_stale
from .services import services
from .store import audit as entries
from .store import claims, outbox, projects, sessions, users
from .store.owned import Versions, at_versions, change, new_document

CLAIMED: tuple[claims.Kind, ...] = ("email", "username")
SHOWN_PROJECTS = 20

T = TypeVar("T")


def create_user(fields: Mapping[str, Any], actor_id: ObjectId | None) -> Document:
    """Make a user with `fields` of the wire's shape; the letter of welcome goes out with it.

    Raises:
        ClaimTaken: the e-mail address or username is somebody's.
    """
    at, rest = times.now(), {name: value for name, value in fields.items() if name != "password"}
    defaults = {"role": "member", "time_zone": "UTC", "preferences": {}}
    own = {"status": "active", "token_version": 1, "last_login_at": None, "email_verified_at": None}
    hashed = services().passwords.hash(fields["password"])
    stored = {**defaults, **rest, **_beginnings(rest), **own, "password_hash": hashed}
    user = new_document(stored, actor_id, g.get("request_id"), at)
    # People who sign up are their own authors.
    user["updated_by"] = actor_id or user["_id"]

    def work() -> None:
        for kind in CLAIMED:
            claims.insert_claim(kind, user[kind], user["_id"], at)
        users.insert_user(user)
        outbox.insert_entry("letter", {"letter": "welcome", "user_id": user["_id"]}, at)
        entries.insert_entry(audit.of_version("user.create", "users", user, after={"role": user["role"]}))

    services().connection.in_transaction(work)
    return user


def _beginnings(fields: Mapping[str, Any]) -> Document:
    """What the directory finds people by, for those of their names that are in `fields`."""
    return {f"{name}_folded": names.beginning(fields[name]) for name in ("username", "name") if name in fields}


def find_by_name(username: str | None, email: str | None) -> Document | None:
    """The user of a username or e-mail address: the claim, then the user, one shard each."""
    kind: claims.Kind = "username" if username is not None else "email"
    claim = claims.find_claim(kind, username if username is not None else email or "")
    # Somebody is looked for in any case: the time it takes must not tell whether the name exists.
    user = users.find_user(claim["user_id"] if claim else ObjectId())
    return user if claim else None


def update_user(user: Document, fields: Mapping[str, Any], versions: Versions, actor_id: ObjectId) -> Document:
    """`user` with `fields`; none make no new version.

    Raises:
        ClaimTaken: the new e-mail address or username is somebody's.
        Problem: 412, it is at none of `versions` (any more); 401 or 404, it is gone.
    """
    return _at_newest(lambda newest: _update_at(newest, fields, versions, actor_id), user, versions, actor_id)


def _at_newest(write: Callable[[Document], T], user: Document, versions: Versions, actor_id: ObjectId) -> T:
    """`write(user)`; where any version may be overwritten, again with the newest if another write came between.

    Each time somebody else's write was done, and the request's deadline ends it.
    """
    while True:
        try:
            return write(user)
        except Problem as problem:
            if versions is not None or problem.code != "stale_version":
                raise
        newest = users.find_user(user["_id"])
        if newest is None:
            raise Problem("unauthenticated" if actor_id == user["_id"] else "not_found", "The user is gone.")
        user = newest


def _update_at(user: Document, fields: Mapping[str, Any], versions: Versions, actor_id: ObjectId) -> Document:
    if not fields:
        return unless_stale(user, versions)
    at, update = times.now(), _update(user, fields, actor_id)
    moved = [kind for kind in CLAIMED if kind in fields and fields[kind] != user[kind]]
    if not moved and actor_id == user["_id"]:
        return _or_stale(users.update_user(user["_id"], at_versions(versions), update))
    if moved:
        unless_stale(user, versions)
    # The claims to free are those of exactly this version.
    condition = {"version": user["version"]} if moved else at_versions(versions)

    def work() -> Document:
        found = _or_stale(users.update_user(user["_id"], condition, update))
        for kind in moved:
            _move_claim(kind, user, fields[kind])
        if "email" in moved:
            _tell_of_address(user, at)
        entries.insert_entry(_entry_of_update(user, found, fields))
        return found

    return services().connection.in_transaction(work)


def _update(user: Document, fields: Mapping[str, Any], actor_id: ObjectId) -> list[Document]:
    """The update with `fields`; a new address has not been verified."""
    is_moved = fields.get("email", user["email"]) != user["email"]
    stored = {**fields, **_beginnings(fields), **({"email_verified_at": None} if is_moved else {})}
    return change(stored, actor_id, g.get("request_id"), times.now())


def _tell_of_address(user: Document, at: datetime) -> None:
    """Letters to the new address, to be verified, and to the old one, whose owner may not have changed it."""
    outbox.insert_entry("letter", {"letter": "verify_email", "user_id": user["_id"]}, at)
    told = {"letter": "email_changed", "user_id": user["_id"], "to": user["email"]}
    outbox.insert_entry("letter", told, at)


def _entry_of_update(user: Document, found: Document, fields: Mapping[str, Any]) -> Document:
    """What was changed of a user by name, and of rights also what it was changed to."""
    changed = sorted(name for name in fields if fields[name] != user.get(name))
    rights = {name: found[name] for name in ("role", "status") if name in changed}
    return audit.of_version("user.update", "users", found, after=rights, detail={"fields": changed})


def _or_stale(user: Document | None) -> Document:
    if user is None:
        raise Problem("stale_version", "Read it again: it has changed since.")
    return user


def _move_claim(kind: claims.Kind, user: Document, value: str) -> None:
    """Free the old value and take the new one; one that differs in case alone is the same claim."""
    if claims.claim_id(kind, value) != claims.claim_id(kind, user[kind]):
        claims.insert_claim(kind, value, user["_id"], times.now())
        claims.delete_claim(kind, user[kind], user["_id"])


def end_sessions(user_id: ObjectId, reason: str, keep: str | None = None) -> None:
    """End every session of a person but `keep`. May be repeated: each is one write to one shard."""
    at = times.now()
    while found := [each for each in sessions.list_live_sessions(user_id, at) if each["_id"] != keep]:
        for session in found:
            sessions.revoke_session(session["_id"], user_id, reason, at)
            services().standing.forget(session["_id"])


def change_password(user: Document, password: str, keep_session: str) -> None:
    """Set a new password, then end every other session. A login that races with it sees the new `token_version`."""
    hashed = services().passwords.hash(password)
    computed = {"token_version": {"$add": ["$token_version", 1]}}
    update = change({"password_hash": hashed}, user["_id"], g.get("request_id"), times.now(), computed)

    def work() -> None:
        found = _or_stale(users.update_user(user["_id"], {"token_version": user["token_version"]}, update))
        outbox.insert_entry("letter", {"letter": "password_changed", "user_id": user["_id"]}, times.now())
        entries.insert_entry(audit.of_version("auth.password_change", "users", found))

    services().connection.in_transaction(work)
    end_sessions(user["_id"], "password_changed", keep_session)


def unlock(user_id: ObjectId, actor_id: ObjectId) -> None:
    """Let a person log in again who has failed too often. It is noted first: what is not noted is not done."""
    entries.insert_entry(audit.of_account("user.unlock", user_id, actor_id))
    throttle.unlock(user_id)


def delete_user(user: Document, versions: Versions, actor_id: ObjectId) -> None:
    """Free the names at once, end the sessions, and leave the rest of the data to the worker.

    Raises:
        Problem: 409 while the user owns projects, 412 when it is at none of `versions`, 401 or 404 when it is gone.
    """
    _at_newest(lambda newest: _delete_at(newest, versions, actor_id), user, versions, actor_id)
    end_sessions(user["_id"], "user_deleted")


def _delete_at(user: Document, versions: Versions, actor_id: ObjectId) -> None:
    owned = projects.list_project_ids_of_owner(user["_id"], SHOWN_PROJECTS)
    if owned:
        raise Problem("owns_projects", "Hand these over first: " + ", ".join(map(str, owned)))
    unless_stale(user, versions)
    at, author = times.now(), {"actor_id": actor_id, "request_id": g.get("request_id")}
    update = change({"status": "deleting"}, **author, at=at)

    def work() -> None:
        _or_stale(users.update_user(user["_id"], {"version": user["version"]}, update))
        for kind in CLAIMED:
            claims.delete_claim(kind, user[kind], user["_id"])
        late_writes.take_away("purge_user", {"user_id": user["_id"], **author})
        entries.insert_entry(audit.deletion("users", user, **author))

    services().connection.in_transaction(work)

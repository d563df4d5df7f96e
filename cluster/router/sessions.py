"""Commands about sessions: started, kept, ended, killed."""

import uuid
from typing import Any

from bson import Binary

from .continuing import close_cursor
from .errors import CommandError
from .operation import Operation
from .process import SESSION_TIMEOUT_MINUTES
from .shards import Retry, checked


def end_sessions(op: Operation) -> dict[str, Any]:
    """`endSessions`: shards end sessions that are not used; here their transactions are forgotten."""
    for session in op.body[op.name]:
        op.router.transactions.forget(bytes(session["id"]) + bytes(op.session_uid))
    return {"ok": 1.0}


def start_session(op: Operation) -> dict[str, Any]:
    return {"id": {"id": Binary.from_uuid(uuid.uuid4())}, "timeoutMinutes": SESSION_TIMEOUT_MINUTES, "ok": 1.0}


def refresh_sessions(op: Operation) -> dict[str, Any]:
    return {"ok": 1.0}


def kill_sessions(op: Operation) -> dict[str, Any]:
    """`killSessions`, `killAllSessions`, ...: on every shard; with them end the router's own cursors of the user."""
    body = op.forwarded(**{"$db": "admin"})
    body.pop("lsid", None)
    if op.name == "killSessions":
        body = _kill_own(op, body)
    if op.name == "killAllSessions":
        _require_users(op)
    for shard in op.grid.shards.values():
        checked(op.grid.call(shard, body, op.deadline, Retry.IDEMPOTENT))
    ids = [session["id"] for session in op.body["killSessions"]] if op.name == "killSessions" else None
    for cursor in op.router.cursors.of_owner(op.login.identity):
        if not ids or (cursor.lsid and cursor.lsid["id"] in ids):
            close_cursor(op, cursor)
    return {"ok": 1.0}


def _kill_own(op: Operation, body: dict[str, Any]) -> dict[str, Any]:
    """`killSessions`, of this user only: an empty list means all that it has, not all of the router."""
    if not op.body["killSessions"]:
        return {"killAllSessionsByPattern": [{"uid": op.session_uid}], "$db": "admin"}
    return {**body, "killSessions": [{"id": session["id"], "uid": op.session_uid} for session in op.body[op.name]]}


def _require_users(op: Operation) -> None:
    """Raises: CommandError UserNotFound for a user that is named and does not exist."""
    for user in op.body[op.name]:
        named = {"user": user["user"], "db": user["db"]}
        if not op.on_config({"usersInfo": named, "$db": "admin"}, Retry.IDEMPOTENT).get("users"):
            raise CommandError("UserNotFound", f'User "{user["user"]}@{user["db"]}" not found')

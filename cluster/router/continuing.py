"""Cursors after their first batch: getMore and killCursors, on the member that holds them."""

import time
from collections.abc import Mapping
from typing import Any

from . import streams
from .cursors import Cursor
from .errors import CommandError
from .operation import Operation
from .shards import Reply
from .wire import ConnectionLost

GET_MORE_LIMIT_S = 60.0


def keep_cursor(
    op: Operation, reply: Reply, version: Mapping[str, Any] | None = None, session: Mapping[str, Any] | None = None
) -> Reply:
    """Remember where a reply's cursor lives, if it has one."""
    cursor = reply.get("cursor") if reply.get("ok") else None
    if cursor and cursor["id"]:
        op.router.cursors.add(
            Cursor(
                cursor["id"],
                cursor["ns"],
                op.login.identity,
                reply.where,
                reply.address,
                version or {},
                session,
                op.lsid,
            )
        )
    return reply


def get_more(op: Operation) -> dict[str, Any]:
    """`getMore`, on the member that holds the cursor."""
    cursor = op.router.cursors.find(op.body["getMore"], op.login.identity)
    if cursor.namespace.partition(".")[2] != op.body["collection"]:
        raise CommandError("Unauthorized", f"Requested getMore on {op.db}.{op.body['collection']}, but the "
                           f"cursor belongs to a different namespace, {cursor.namespace}")  # fmt: skip
    if isinstance(cursor, streams.ChangeStream):
        return streams.get_more(op, cursor)
    if cursor.lsid != op.lsid:
        raise CommandError(
            "Location50738", f"Cannot run getMore on cursor {cursor.id}, which was created in another session"
        )
    wait_ms = op.body.get("maxTimeMS")
    op.deadline = time.monotonic() + GET_MORE_LIMIT_S + (wait_ms / 1000 if wait_ms else 0)
    if cursor.session is not None:
        body = op.without_session(lsid=cursor.session)
        body = {"clusterGetMore": body.pop("getMore"), **body}
    else:
        body = op.forwarded()
    if op.transaction is not None:
        body = {**body, "autocommit": False, "txnNumber": op.body["txnNumber"]}
    body.pop("maxTimeMS", None)
    if wait_ms:
        body["maxTimeMS"] = wait_ms
    reply = _from_member(op, cursor, body)
    if not reply.get("ok") or not reply["cursor"]["id"]:
        op.router.cursors.remove(cursor.id)
    return reply


def _from_member(op: Operation, cursor: Cursor, body: dict[str, Any]) -> Reply:
    try:
        return op.grid.call_member(cursor.shard, cursor.address, body, op.deadline)
    except ConnectionLost as error:
        op.router.cursors.remove(cursor.id)
        raise CommandError("HostUnreachable", f"the member that held cursor {cursor.id} is gone: {error}") from error


def kill_cursors(op: Operation) -> dict[str, Any]:
    """`killCursors`; a cursor of a `cluster*` command ends with its session."""
    killed, unknown = [], []
    for cursor_id in op.body.get("cursors") or []:
        try:
            cursor = op.router.cursors.find(cursor_id, op.login.identity)
        except CommandError as error:
            if error.name != "CursorNotFound":
                raise
            unknown.append(cursor_id)
            continue
        close_cursor(op, cursor)
        killed.append(cursor_id)
    return {"cursorsKilled": killed, "cursorsNotFound": unknown, "cursorsAlive": [], "cursorsUnknown": [], "ok": 1.0}


def close_cursor(op: Operation, cursor: Cursor | streams.ChangeStream) -> None:
    """Free a cursor on its member, best effort: a member that is gone has freed it already."""
    op.router.cursors.remove(cursor.id)
    if isinstance(cursor, streams.ChangeStream):
        cursor.close(op)
        return
    if cursor.session is not None:
        body: dict[str, Any] = {"killSessions": [cursor.session], "$db": "admin"}
    else:
        db, _, collection = cursor.namespace.partition(".")
        body = {"killCursors": collection, "cursors": [cursor.id], "$db": db}
        if op.lsid is not None:
            body["lsid"] = op.lsid
    try:
        op.grid.call_member(cursor.shard, cursor.address, body, time.monotonic() + 2.0)
    except (ConnectionLost, CommandError):
        return

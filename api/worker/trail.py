"""Writes the audit trail of plain creates and updates: each new version that the change stream tells of is an entry.

Any number of workers may run; a lease lets one of them read. It notes how far it has come after it has written, so one
that dies between the two leaves entries to be written again; they have the ids that they had, and are there once.
"""

import secrets
import threading
import time
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask
from pymongo.change_stream import ChangeStream
from pymongo.errors import OperationFailure, PyMongoError

from .. import audit, times
from ..db import Document
from ..services import services
from ..store import audit as entries
from ..store import followers
from ..store.followers import Start

log = structlog.get_logger(__name__)

NAME = "audit"
# Written together; the first of them waits for the others no longer than this.
BATCH, HOLD_S = 500, 0.5
# The servers cannot tell what happened since: the log is too short, or the place is none of this cluster's.
# https://github.com/mongodb/mongo/blob/v6.0/src/mongo/base/error_codes.yml
LOST_CODES = frozenset((136, 260, 280, 286))


def follow(app: Flask, stopping: threading.Event) -> None:
    """Write until `stopping`; the work of a thread beside the outbox. A database that is away is waited for."""
    lease_id = secrets.token_hex(16)
    with app.app_context():
        while not stopping.is_set():
            try:
                _follow_as(lease_id, stopping)
            except PyMongoError as error:
                log.warning("trail_waits", error=type(error).__name__, mongodb_code=getattr(error, "code", None))
            except Exception as error:  # the outermost edge of the thread: the worker would go on without it
                log.error("trail_failed", error=type(error).__name__)
            stopping.wait(services().settings.worker_poll_ms / 1000)


def _follow_as(lease_id: str, stopping: threading.Event) -> None:
    """Write as long as the lease is ours; at once back when another worker has it."""
    follower = followers.take_follower(NAME, lease_id, times.now(), _lease_end())
    if follower is None:
        return
    log.info("trail_followed", since=follower["seen_at"] and times.show(follower["seen_at"]))
    try:
        _write_from(follower, lease_id, stopping)
    except OperationFailure as error:
        if error.code not in LOST_CODES:
            raise
        _step_over(follower, lease_id, error.code)
    if stopping.is_set():
        followers.release_follower(NAME, lease_id)


def _write_from(follower: Document, lease_id: str, stopping: threading.Event) -> None:
    noted_at, refresh_s = time.monotonic(), services().settings.worker_lease_s / 4
    start_at = follower["start_at"] if follower["start_at"] != followers.BEGINNING else followers.first_day()
    with followers.open_versions(Start(follower["resume_token"], start_at)) as stream:
        while stream.alive and not stopping.is_set():
            events = _take(stream)
            if events:
                found = [entry for event in events if (entry := audit.of_change(event)) is not None]
                if found:
                    entries.insert_missing_entries(found)
            elif time.monotonic() - noted_at < refresh_s:
                continue
            if not _note(Start(stream.resume_token, start_at), lease_id):
                log.warning("trail_lease_lost")
                return
            noted_at = time.monotonic()


def _take(stream: ChangeStream[Document]) -> list[Any]:
    """The next events, none after a short while without any."""
    found: list[Any] = []
    until = time.monotonic() + HOLD_S
    while len(found) < BATCH and (not found or time.monotonic() < until):
        event = stream.try_next()
        if event is None:
            break
        found.append(event)
    return found


def _note(start: Start, lease_id: str) -> bool:
    """Whether we still had the lease, and have come to `start`."""
    return followers.move_follower(NAME, lease_id, start, times.now(), _lease_end())


def _step_over(follower: Document, lease_id: str, code: int | None) -> None:
    """Go on from now, and say in the trail itself that something is missing, both or neither."""
    position, now = str(follower["resume_token"] or follower["start_at"]), followers.present_time()

    def work() -> None:
        entries.insert_entry(audit.gap(follower["seen_at"], position, code))
        _note(Start(None, now), lease_id)

    services().connection.in_transaction(work)
    log.error("trail_has_gap", since=follower["seen_at"] and times.show(follower["seen_at"]), mongodb_code=code)


def _lease_end() -> Any:
    return times.now() + timedelta(seconds=services().settings.worker_lease_s)

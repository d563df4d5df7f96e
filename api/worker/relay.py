"""Takes entries of the outbox, one lease each, and hands them to the work of their kind."""

import secrets
from datetime import timedelta

import structlog
from pymongo.errors import PyMongoError

from .. import times
from ..db import Document, deadline
from ..services import services
from ..store import outbox
from .kinds import KINDS

log = structlog.get_logger(__name__)

BATCH = 20
# Attempts come after 2, 4, 8 ... seconds, at most ten minutes; then a person must look.
MAX_ATTEMPTS = 12
MAX_PAUSE_S = 600
# Work ends well before its lease does, so that no two workers do the same.
LEASE_SHARE = 2


def work_once() -> int:
    """Do what is due; how many entries were done.

    Raises:
        PyMongoError: the database is away. Leases end by themselves.
    """
    with deadline(services().settings.deadline_write_ms):
        due = outbox.find_due_entries(times.now(), BATCH)
    return sum(_take(entry) for entry in due)


def _take(candidate: Document) -> bool:
    """Whether the entry became ours and was done."""
    settings, lease_id, at = services().settings, secrets.token_hex(16), times.now()
    with deadline(settings.deadline_write_ms):
        entry = outbox.lease_entry(candidate["_id"], lease_id, at, at + timedelta(seconds=settings.worker_lease_s))
    return entry is not None and _do(entry, lease_id)


def _do(entry: Document, lease_id: str) -> bool:
    """Whether the entry, or a part of it, was done; if it failed, it has been put back for later."""
    log_of = log.bind(entry_id=str(entry["_id"]), kind=entry["kind"], attempt=entry["attempts"])
    try:
        with deadline(services().settings.worker_lease_s * 1000 // LEASE_SHARE):
            is_more = KINDS[entry["kind"]](entry["payload"])
    except PyMongoError:
        raise
    except Exception as error:  # the outermost edge of one entry: the others go on
        log_of.error("outbox_failed", error=type(error).__name__)
        _put_back(entry, lease_id, type(error).__name__)
        _count(entry, "failed")
        return False
    if is_more:
        outbox.continue_entry(entry["_id"], lease_id, times.now())
        return True
    outbox.finish_entry(entry["_id"], lease_id, times.now())
    log_of.info("outbox_done")
    _count(entry, "done")
    return True


def _count(entry: Document, outcome: str) -> None:
    services().metrics.work.labels(entry["kind"] if entry["kind"] in KINDS else "unknown", outcome).inc()


def _put_back(entry: Document, lease_id: str, error: str) -> None:
    pause = timedelta(seconds=min(2 ** entry["attempts"], MAX_PAUSE_S))
    state = "failed" if entry["attempts"] >= MAX_ATTEMPTS else "waiting"
    outbox.postpone_entry(entry["_id"], lease_id, state, times.now() + pause, error)

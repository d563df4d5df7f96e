"""Knows, for the request of this thread, whether a write has left for the database and may have been applied.

The driver's exception does not say: a timeout can come before the first byte was sent or after the last retry. So the
commands themselves are watched. Events come in the thread that runs the operation.
"""

import threading
import time
from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from .consistency import Moment
from .preferences import READING, ROUTE_REPORT

WRITES = frozenset(("insert", "update", "delete", "findAndModify", "commitTransaction"))

# Counters of tries, notes of what happened and rows that no import has yet are no part of what a client asked for:
# whether one was applied does not matter to it. Where the note and the deed are one transaction, its commit counts.
BESIDE_THE_POINT = frozenset(("login_attempts", "audit", "import_chunks"))

# A write that has waited this long waits for an election, not for its turn.
STUCK_AFTER_S = 0.5

_state = threading.local()
_writing_since: dict[int, float] = {}


def begin() -> None:
    """Forget what the thread did before: a request begins."""
    _state.in_doubt = False
    _state.keeps_moment, _state.moment = False, None
    _writing_since.pop(threading.get_ident(), None)


def begin_part() -> None:
    """One of several writes of this request begins: what became of those before is told for itself."""
    _state.in_doubt = False


def keep_moment() -> None:
    """Remember when what this request does has happened: it writes, and its client is told."""
    _state.keeps_moment = True


def moment() -> Moment | None:
    """The latest time that a reply to this request told."""
    found: Moment | None = getattr(_state, "moment", None)
    return found


def write_in_doubt() -> bool:
    """A write of this request was sent, and nothing showed that it changed nothing."""
    return getattr(_state, "in_doubt", False)


def end() -> None:
    """The request is over: this thread waits on no write."""
    _writing_since.pop(threading.get_ident(), None)


def stuck_writes() -> int:
    """How many requests of this process have been waiting on a write for longer than `STUCK_AFTER_S`."""
    limit = time.monotonic() - STUCK_AFTER_S
    return sum(1 for since in list(_writing_since.values()) if since < limit)


class WriteWatch(CommandListener):
    """The driver's listener. One instance serves every thread: what it keeps is kept by thread."""

    def started(self, event: CommandStartedEvent) -> None:
        reading = READING.get()
        if reading is not None and ROUTE_REPORT in reading.wishes and "comment" in event.command:
            reading.commands.append(dict(event.command))
        if event.command.get("startTransaction"):
            _state.has_written = False
        if event.command_name not in WRITES:
            return
        _writing_since.setdefault(threading.get_ident(), time.monotonic())
        _state.counts = _counts(event.command_name, event.command)
        if _state.counts:
            _state.before = write_in_doubt()
            _state.in_doubt = True

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if getattr(_state, "keeps_moment", False):
            _remember(event.reply)
        if event.command_name not in WRITES:
            return
        # What is answered waits no more, however many writes the request has: only retries go on waiting.
        end()
        if _changed_nothing(event.command_name, event.reply):
            if _state.counts:
                _state.in_doubt = getattr(_state, "before", False)
        elif not _state.counts:
            _state.has_written = True

    def failed(self, event: CommandFailedEvent) -> None:
        # The commit was refused and the transaction is gone: nothing of it was applied.
        labels = event.failure.get("errorLabels", ())
        if event.command_name == "commitTransaction" and "TransientTransactionError" in labels:
            _state.in_doubt = getattr(_state, "before", False)


def _remember(reply: Any) -> None:
    """Keep the latest moment: shards differ in their times, and a request may write to several."""
    told, known = Moment.of_reply(reply), moment()
    if told and (known is None or told.operation_time > known.operation_time):
        _state.moment = told


def _counts(name: str, command: Any) -> bool:
    """Statements of a transaction are applied by its commit alone, and only if they have changed something."""
    if name == "commitTransaction":
        return getattr(_state, "has_written", True)
    return "autocommit" not in command and command[name] not in BESIDE_THE_POINT


def _changed_nothing(name: str, reply: Any) -> bool:
    """The server answered that no document was changed, and no write concern was left open."""
    if name == "commitTransaction" or "writeConcernError" in reply:
        return False
    if name == "findAndModify":
        return not reply.get("lastErrorObject", {}).get("n", 0)
    return reply.get("n", 0) == 0

"""Writes that come late: begun before somebody or something went, and done after it.

A request checks first whom and what it names, and writes then; a process remembers sessions for a while. So what the
worker takes away after an end is looked for twice: at once, and when no such write can come any more.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from . import times
from .services import services
from .standing import FRESH_S
from .store import outbox


def take_away(kind: str, payload: Mapping[str, Any]) -> None:
    """Leave work for the worker, to be done twice; called in the transaction of what it follows from."""
    at = times.now()
    for due in (at, at + _last_write_after()):
        outbox.insert_entry(kind, payload, due)


def _last_write_after() -> timedelta:
    """How long after an end a request can write that has not heard of it."""
    return timedelta(seconds=FRESH_S, milliseconds=services().settings.deadline_write_ms)

"""The change stream as places and changes, from any place on."""

import re
from types import TracebackType
from typing import Self

from bson import Timestamp
from pymongo.errors import OperationFailure

from ..store.changes import open_stream
from .change import Change, Place, change_of, place_at

# ChangeStreamHistoryLost, ChangeStreamFatalError, CappedPositionLost, OplogQueryMinTsMissing.
HISTORY_LOST = frozenset((286, 280, 136, 326))

# A resume token begins with a cluster time, as a type byte, seconds and increment in hexadecimal digits.
_TOKEN = re.compile(r"82([0-9A-F]{8})([0-9A-F]{8})")


class HistoryLost(Exception):
    """The servers no longer know what happened at that place. Nobody can be told; clients must read anew."""


class Source:
    """What comes after `place`. It is read by one thread.

    Raises:
        HistoryLost: on opening or later.
        PyMongoError: open another one at `place`: nothing is lost or told twice.
    """

    def __init__(self, place: Place) -> None:
        self.place = self._start = place
        self._last = place_at(place.timestamp)
        with _Losses():
            self._stream = open_stream(place.timestamp)

    def next(self) -> Change | None:
        """The next change; None when there is none for now, or it is nobody's to see. `place` has moved on."""
        with _Losses():
            event = self._stream.try_next()
        if not self._stream.alive:
            raise HistoryLost("the database was dropped")
        if event is None:
            self._move_on()
            return None
        at = event["clusterTime"]
        self._last = place_at(at, self._last.number + 1 if at == self._last.timestamp else 1)
        # The stream begins with all changes of the first cluster time, of which some are known.
        if self._last <= self._start:
            return None
        self.place = self._last
        return change_of(event, self.place)

    def _move_on(self) -> None:
        """In quiet times too: who resumes at an old place might find that the servers have forgotten it."""
        found = _TOKEN.match((self._stream.resume_token or {}).get("_data", ""))
        if found:
            self.place = max(self.place, place_at(Timestamp(int(found[1], 16), int(found[2], 16))))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()


class _Losses:
    """Turns the server's words for lost history into ours."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, OperationFailure) and error.code in HISTORY_LOST:
            raise HistoryLost(str(error.code)) from error

"""The answer that a client holds open: server-sent events. https://html.spec.whatwg.org/multipage/server-sent-events.html

Every event has an id, by which any process goes on after it. A heartbeat is an event too, so that a page can know the
latest id in quiet times. When the answer is to end it says why, and ends.
"""

import time
from collections.abc import Iterator
from typing import Any

import orjson
import structlog
from pymongo.errors import PyMongoError

from ..services import services
from .change import Place
from .client import Client
from .hub import STOPPING, Behind
from .places import seal
from .source import HistoryLost, Source
from .viewer import Viewer

log = structlog.get_logger(__name__)

# How long a client waits before it comes back, in milliseconds.
RETRY_MS = 1_000
# How often an answer with nothing to tell looks whether it is to end.
TICK_S = 1.0
# Who has missed more changes than this, or needs longer to hear of them, reads its lists anew: that is less work.
MOST_MISSED, LONGEST_S = 20_000, 30

UNAVAILABLE, GONE = "unavailable", "gone"


def frame(event: str, place: Place, data: Any = None) -> bytes:
    """One event, e.g. `event: updated`, its id, and its data in one line."""
    return b"event: %s\nid: %s\ndata: %s\n\n" % (event.encode(), seal(place).encode(), orjson.dumps(data or {}))


class Feed:
    """What one client is told after `place`, as bytes to send."""

    def __init__(self, client: Client, viewer: Viewer, place: Place) -> None:
        self._hub, self._client, self._viewer, self._place = services().changes, client, viewer, place
        self._heartbeat_s = services().settings.changes_heartbeat_s
        self._told_at = 0.0

    def frames(self) -> Iterator[bytes]:
        """All of them, until the answer is to end; the client is counted until then."""
        yield from self._sent(b"retry: %d\n" % RETRY_MS + frame("heartbeat", self._place))
        try:
            while not self._over():
                yield from self._some()
        except PyMongoError as error:
            log.warning("changes_feed_ended", error=type(error).__name__)
            self._client.end(UNAVAILABLE)
        reason = self._over()
        if reason != GONE:
            yield from self._sent(frame("end", self._place, {"reason": reason}))

    def _over(self) -> str | None:
        if self._hub.is_stopping():
            self._client.end(STOPPING)
        elif self._client.is_gone():
            self._client.end(GONE)
        return self._client.over()

    def _some(self) -> Iterator[bytes]:
        """What there is to tell within a tick."""
        try:
            changes, place = self._hub.after(self._place, TICK_S, self._client)
        except Behind:
            yield from self._caught_up()
            return
        for change in changes:
            if self._client.over():
                return
            told = self._viewer.told_of(change)
            self._place = change.place
            if told is not None:
                yield from self._sent(frame(told.kind, self._place, told.body()))
        self._place = place
        yield from self._beat()

    def _beat(self) -> Iterator[bytes]:
        if time.monotonic() - self._told_at >= self._heartbeat_s:
            yield from self._sent(frame("heartbeat", self._place))

    def _sent(self, data: bytes) -> Iterator[bytes]:
        self._client.begins_to_send()
        yield data
        self._client.has_sent()
        self._told_at = time.monotonic()

    # -- who was away for long

    def _caught_up(self) -> Iterator[bytes]:
        """Read from the servers what the hub does not keep, up to where it begins."""
        if not self._hub.catching_up.acquire(timeout=TICK_S):
            yield from self._beat()
            return
        try:
            yield from self._missed()
        except HistoryLost:
            yield from self._reset()
        finally:
            self._hub.catching_up.release()

    def _missed(self) -> Iterator[bytes]:
        seen, give_up_at = 0, time.monotonic() + LONGEST_S
        with Source(self._place) as source:
            while not self._hub.keeps(self._place) and not self._over():
                change = source.next()
                seen += change is not None
                if seen > MOST_MISSED or time.monotonic() > give_up_at:
                    yield from self._reset()
                    return
                told = self._viewer.told_of(change) if change else None
                self._place = source.place
                if told is not None:
                    yield from self._sent(frame(told.kind, self._place, told.body()))
                yield from self._beat()

    def _reset(self) -> Iterator[bytes]:
        """Nobody knows what was missed: the client reads its lists anew, and hears of what comes after this."""
        place = self._hub.place()
        if place is None:
            self._client.end(UNAVAILABLE)
            return
        self._place = place
        yield from self._sent(frame("reset", self._place))

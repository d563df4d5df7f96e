"""The one change stream of a process, and the clients who follow it.

A thread reads the stream while there are clients, and a while longer. The latest changes are kept for all of them
together, so that a slow client costs no memory: who falls behind reads the stream from their own place for a while.
A second thread looks whether the clients may still listen and whether they still do.
"""

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from itertools import islice

import structlog
from flask import Flask
from pymongo.errors import PyMongoError

from ..auth import read_roles
from ..errors import place_of, unavailable
from ..store.changes import present_time
from .change import Change, Place, place_at
from .client import Client
from .source import HistoryLost, Source

log = structlog.get_logger(__name__)

# Changes kept for clients who were away for a moment or are slow.
KEPT = 2_000
# How long the stream goes on without clients: one who reconnects finds what was missed.
IDLE_S = 60
# How long a client waits for the stream to begin.
START_S = 5
# After the stream has failed; a router that is away has been waited for already.
PAUSE_S = 0.5
# How often sessions are looked at: one that has ended is known within 2 s.
CHECK_S = 0.5

# Why answers end then.
STOPPING = "restarting"
# How long clients of a process that is to end may take to hear of it.
LAST_WORDS_S = 2


class Behind(Exception):
    """What follows that place is not kept here any more, or never was: read it from the servers."""


class Hub:
    """The stream and its clients, of whom there are at most `most`.

    Attributes:
        catching_up: how many clients may read a stream of their own at once.
        looking_up: how many may ask the database about a change at once.
        is_stopping: whether the process is to end; its server sets it.
    """

    def __init__(self, app: Flask, most: int) -> None:
        self._app, self._most = app, most
        self._changes: deque[Change] = deque()
        self._clients: set[Client] = set()
        self._place: Place | None = None
        self._kept_from: Place | None = None
        self._news = threading.Condition()
        self._over = threading.Event()
        self._over.set()
        self._alone_since = time.monotonic()
        self._failures = 0
        self.catching_up = threading.BoundedSemaphore(2)
        self.looking_up = threading.BoundedSemaphore(2)
        self.is_stopping: Callable[[], bool] = lambda: False

    # -- clients

    def join(self, client: Client) -> Place:
        """Let a client in, who leaves by `leave`; answers where the stream is now.

        Raises:
            Problem: 503, there are too many, or there is no stream to follow.
        """
        with self._news:
            if self.is_stopping():
                raise unavailable("restart", "The service is being restarted.")
            if len(self._clients) >= self._most:
                raise unavailable("changes_clients", "Too many clients follow changes.")
            self._clients.add(client)
            self._start()
        place = self.place()
        if place is None:
            self.leave(client)
            raise unavailable("changes_stream", "The database cannot be followed now.")
        return place

    def leave(self, client: Client) -> None:
        """The client is gone; again changes nothing."""
        with self._news:
            self._clients.discard(client)
            self._alone_since = time.monotonic()
            self._news.notify_all()

    def place(self) -> Place | None:
        """Where the stream is; None when it cannot begin, or does not in time."""
        with self._news:
            failures = self._failures
            self._news.wait_for(lambda: self._place is not None or self._failures > failures, START_S)
            return self._place

    def keeps(self, place: Place) -> bool:
        """Whether everything after `place` is here, or will be."""
        with self._news:
            return self._kept_from is not None and place >= self._kept_from

    def after(self, place: Place, wait_s: float, client: Client) -> tuple[list[Change], Place]:
        """The changes after `place`, as soon as there are any, and the place after them.

        There are none when `wait_s` are over, or the client is.

        Raises:
            Behind: some of them are not kept any more.
        """
        with self._news:
            self._news.wait_for(lambda: self._has_after(place) or client.over(), wait_s)
            if self._place is None or self._kept_from is None or place < self._kept_from:
                raise Behind
            first = bisect_right(self._changes, place, key=lambda change: change.place)
            # A client that comes from another process may be ahead.
            return list(islice(self._changes, first, None)), max(place, self._place)

    def _has_after(self, place: Place) -> bool:
        is_behind = self._kept_from is None or place < self._kept_from
        return is_behind or bool(self._changes and self._changes[-1].place > place)

    # -- the two threads, as long as their `over` is not set

    def _start(self) -> None:
        if not self._over.is_set():
            return
        self._over = threading.Event()
        self._place = self._kept_from = None
        self._changes.clear()
        for name, work in (("stream", self._follow), ("check", self._check)):
            threading.Thread(target=self._run, args=(work, self._over), name=f"changes-{name}", daemon=True).start()

    def _run(self, work: Callable[[threading.Event], None], over: threading.Event) -> None:
        with self._app.app_context():
            while not self._is_over(over):
                try:
                    work(over)
                except PyMongoError as error:
                    log.warning("changes_wait_for_database", error=type(error).__name__)
                except Exception as error:
                    log.error("changes_failed", error=type(error).__name__, exc_info=place_of(error))
                    self._begin(over, None)
                with self._news:
                    self._failures += 1
                    self._news.notify_all()
                over.wait(PAUSE_S)
            self._cut_the_rest()

    def _cut_the_rest(self) -> None:
        """Nothing else ends, in a process that is to end, the answer of a client that does not read."""
        if not self.is_stopping():
            return
        with self._news:
            for client in self._clients:
                client.end(STOPPING)
            self._news.notify_all()
            self._news.wait_for(lambda: not self._clients, LAST_WORDS_S)
            left = list(self._clients)
        for client in left:
            client.cut()

    def _is_over(self, over: threading.Event) -> bool:
        with self._news:
            is_idle = not self._clients and time.monotonic() - self._alone_since > IDLE_S
            if is_idle or self.is_stopping():
                over.set()
            return over.is_set()

    def _follow(self, over: threading.Event) -> None:
        """Read the stream from where it was left off, or from now on."""
        place = self._place or place_at(present_time())
        try:
            with Source(place) as source:
                if self._place is None:
                    self._begin(over, place)
                while not self._is_over(over):
                    self._take(over, source.next(), source.place)
        except HistoryLost:
            log.warning("changes_lost_history")
            self._begin(over, None)

    def _begin(self, over: threading.Event, place: Place | None) -> None:
        with self._news:
            if over is not self._over:
                return
            self._place = self._kept_from = place
            self._changes.clear()
            self._news.notify_all()

    def _take(self, over: threading.Event, change: Change | None, place: Place) -> None:
        with self._news:
            if over is not self._over:
                return
            self._place = place
            if change is None:
                return
            self._changes.append(change)
            if len(self._changes) > KEPT:
                self._kept_from = self._changes.popleft().place
            self._news.notify_all()

    def _check(self, over: threading.Event) -> None:
        """End what has lost its session, and cut off who does not take what is sent."""
        while not self._is_over(over):
            with self._news:
                clients = list(self._clients)
            for client in clients:
                client.cut_if_stuck()
            roles = read_roles({client.session_id: client.user_id for client in clients}) if clients else {}
            for client in clients:
                if roles.get(client.session_id) != client.role:
                    client.end("session_ended")
            with self._news:
                self._news.notify_all()
            over.wait(CHECK_S)

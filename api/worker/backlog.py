"""How much work waits, for `/metrics`: counted when a scrape asks, and remembered so that scrapes cost little."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import product

import structlog
from flask import Flask
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from pymongo.errors import PyMongoError

from .. import times
from ..db import deadline
from ..metrics import PREFIX
from ..store import outbox, reminders
from .kinds import KINDS

log = structlog.get_logger(__name__)

# However often somebody scrapes, the database is asked this often at most.
FRESH_S = 10.0
PATIENCE_MS = 3_000


class Backlog(Collector):
    """The outbox and the reminders that are due. While the database is away their figures are left out."""

    def __init__(self, app: Flask, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at = -FRESH_S
        self._known: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if self._clock() - self._asked_at >= FRESH_S:
                self._known = self._ask()
                self._asked_at = self._clock()
            return self._known

    def describe(self) -> Iterable[Metric]:
        """Nothing: to be registered must not ask the database."""
        return []

    def _ask(self) -> list[Metric]:
        is_known = GaugeMetricFamily(f"{PREFIX}_backlog_known", "Whether the database told what waits.")
        try:
            with self._app.app_context(), deadline(PATIENCE_MS):
                found = _measure(times.now())
        except PyMongoError as error:
            log.warning("backlog_unknown", error=type(error).__name__)
            found = []
        is_known.add_metric([], float(bool(found)))
        return [is_known, *found]


def _measure(at: datetime) -> list[Metric]:
    depth = GaugeMetricFamily(
        f"{PREFIX}_outbox_entries", "Entries of the outbox that are not done.", labels=("kind", "state")
    )
    age = GaugeMetricFamily(
        f"{PREFIX}_outbox_oldest_age_seconds", "Age of the oldest of them.", labels=("kind", "state")
    )
    lag = GaugeMetricFamily(f"{PREFIX}_reminder_lag_seconds", "How late the reminder is that is due for longest.")
    found = {(row["_id"]["kind"], row["_id"]["state"]): row for row in outbox.count_open_entries()}
    for labels in sorted({*found, *product(KINDS, outbox.OPEN)}):
        row = found.get(labels, {"count": 0, "oldest": at})
        depth.add_metric(labels, row["count"])
        age.add_metric(labels, _seconds_since(row["oldest"], at))
    oldest = reminders.find_oldest_due(at)
    lag.add_metric([], _seconds_since(oldest["next_run_at"], at) if oldest else 0.0)
    return [depth, age, lag]


def _seconds_since(moment: datetime, at: datetime) -> float:
    """Clocks of several hosts may differ: never below zero."""
    return max(0.0, (at - moment).total_seconds())

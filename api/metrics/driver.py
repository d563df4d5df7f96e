"""What the driver tells of its commands and connections. https://pymongo.readthedocs.io/en/stable/api/pymongo/monitoring.html"""

import threading
from typing import Any

from pymongo import monitoring
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
)

from . import Metrics

MICROSECONDS = 1_000_000


class CommandTimes(CommandListener):
    """How long each named query's commands take. Events of one command come in one thread, one after the other."""

    def __init__(self, metrics: Metrics) -> None:
        self._seconds = metrics.command_seconds
        self._thread = threading.local()

    def started(self, event: CommandStartedEvent) -> None:
        self._thread.query = event.command.get("comment") or event.command_name

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._observe("ok", event)

    def failed(self, event: CommandFailedEvent) -> None:
        self._observe("failed", event)

    def _observe(self, outcome: str, event: CommandSucceededEvent | CommandFailedEvent) -> None:
        self._seconds.labels(self._thread.query, outcome).observe(event.duration_micros / MICROSECONDS)


class PoolGauge(ConnectionPoolListener):
    """How many connections there are and how many are in use."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def connection_created(self, event: ConnectionCreatedEvent) -> None:
        self._metrics.connections.inc()

    def connection_closed(self, event: ConnectionClosedEvent) -> None:
        self._metrics.connections.dec()
        self._metrics.connections_closed.labels(event.reason).inc()

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:
        self._metrics.connections_used.inc()

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:
        self._metrics.connections_used.dec()

    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None:
        self._metrics.checkouts_failed.labels(event.reason).inc()

    def connection_ready(self, event: monitoring.ConnectionReadyEvent) -> None: ...

    def connection_check_out_started(self, event: monitoring.ConnectionCheckOutStartedEvent) -> None: ...

    def pool_created(self, event: monitoring.PoolCreatedEvent) -> None: ...

    def pool_ready(self, event: monitoring.PoolReadyEvent) -> None: ...

    def pool_cleared(self, event: monitoring.PoolClearedEvent) -> None: ...

    def pool_closed(self, event: monitoring.PoolClosedEvent) -> None: ...


def listeners(metrics: Metrics) -> list[Any]:
    """For a client's `event_listeners`."""
    return [CommandTimes(metrics), PoolGauge(metrics)]

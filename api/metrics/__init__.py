"""What is measured, each metric once. `serving` shows them, `shared` adds up those of several processes.

Labels hold patterns and names of ours alone: never a path, an id, an address or anything else that a client sends.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# Seconds. A request may wait for an election, a command for its deadline.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
COMMAND_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 15)

PREFIX = "shardboard"

# Twice the lines, and processes that are added up have none.
disable_created_metrics()


class Metrics:
    """The metrics of this process.

    Attributes:
        registry: what a process that shares its figures with no other shows.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter(
            "http_requests", "Requests answered; `unmatched` is no route of ours.", "method", "route", "status"
        )
        self.request_seconds = self._histogram(
            "http_request_duration_seconds", "Time until an answer begins.", REQUEST_BUCKETS, "method", "route"
        )
        self.requests_in_flight = self._gauge("http_requests_in_flight", "Requests being worked on.")
        self.refusals = self._counter("refusals", "Requests answered 503 with nothing done, by reason.", "reason")
        self.stuck_writes = self._gauge("stuck_writes", "Requests that have waited for a write for over half a second.")
        self.hashes = self._gauge("password_hashes_in_progress", "Slots of password hashes that are taken.")
        self.throttled = self._counter("logins_throttled", "Logins and the like refused as too many.", "counter")
        self.change_clients = self._gauge("change_clients", "Clients that listen to changes.")
        self.command_seconds = self._histogram(
            "mongodb_command_duration_seconds",
            "Time of a command, by the query that sent it (or its own name) and its outcome.",
            COMMAND_BUCKETS,
            "query",
            "outcome",
        )
        self.connections = self._gauge("mongodb_connections", "Open connections of the driver's pools.")
        self.connections_used = self._gauge("mongodb_connections_in_use", "Connections that a command holds.")
        self.connections_closed = self._counter("mongodb_connections_closed", "Connections closed.", "reason")
        self.checkouts_failed = self._counter("mongodb_checkouts_failed", "No connection was to be had.", "reason")
        self.work = self._counter("outbox_work", "Entries of the outbox worked on by this process.", "kind", "outcome")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, registry=self.registry, buckets=buckets)

    def _gauge(self, name: str, text: str) -> Gauge:
        """Of several processes, those that live are added up."""
        return Gauge(f"{PREFIX}_{name}", text, registry=self.registry, multiprocess_mode="livesum")

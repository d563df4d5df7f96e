"""Counts every request, by its route's pattern."""

import time

from flask import Flask, Response, g, request

from .. import watch
from . import Metrics

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# Anybody may send any path and any method: there is one label for all that we do not know.
UNMATCHED = "unmatched"
OTHER = "other"


class RequestCounts:
    """The hooks around a request."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._stuck = 0

    def begin(self) -> None:
        g.measured_from = time.perf_counter()
        self._metrics.requests_in_flight.inc()

    def end(self, response: Response) -> Response:
        method = request.method if request.method in METHODS else OTHER
        route = request.url_rule.rule if request.url_rule else UNMATCHED
        self._metrics.requests.labels(method, route, response.status_code).inc()
        self._metrics.request_seconds.labels(method, route).observe(time.perf_counter() - g.measured_from)
        return response

    def leave(self, _: BaseException | None) -> None:
        self._metrics.requests_in_flight.dec()
        stuck = watch.stuck_writes()
        if stuck != self._stuck:
            self._stuck = stuck
            self._metrics.stuck_writes.set(stuck)


def register(app: Flask, metrics: Metrics) -> None:
    """Put the hooks on `app`, before all others: theirs then run within these."""
    counts = RequestCounts(metrics)
    app.before_request(counts.begin)
    app.after_request(counts.end)
    app.teardown_request(counts.leave)

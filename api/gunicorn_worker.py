"""gunicorn's threaded worker with what the API needs beside it: `/metrics` on its own listener and threads, and the one
error shape for requests that never reach the application."""

import os
import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import structlog
from gunicorn import util
from gunicorn.http.errors import (
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import TConn, ThreadWorker

from .edge import SECURITY_HEADERS
from .errors import KINDS, MEDIA_TYPE, Problem, body_of
from .metrics import shared
from .metrics.requests import OTHER
from .metrics.serving import create_metrics_app
from .services import EXTENSION, Services

log = structlog.get_logger(__name__)

# A request that is not understood has no route.
UNPARSED = "unparsed"
# One scrape, and one client that says nothing.
SCRAPE_THREADS = 2


class Worker(ThreadWorker):
    """See the module."""

    def load_wsgi(self) -> None:
        shared.join()
        super().load_wsgi()
        api: Any = self.wsgi  # type: ignore[has-type]
        self._services: Services = api.extensions[EXTENSION]
        # An answer that lasts must end when its worker is told to, or has lost its parent.
        self._services.changes.is_stopping = lambda: not self.alive or self.ppid != os.getppid()
        self._scrapes = ThreadPoolExecutor(SCRAPE_THREADS, "metrics")
        settings = self._services.settings
        if settings.metrics_port:
            metrics, port = create_metrics_app(shared.registry(), settings), str(settings.metrics_port)
            # The listener's own port: nothing that a client sends has a part in it.
            self.wsgi = lambda environ, start: (metrics if environ["SERVER_PORT"] == port else api)(environ, start)

    def enqueue_req(self, conn: TConn) -> None:
        """Scrapes have threads of their own: they answer when the API's threads all wait."""
        if conn.server[1] != self._services.settings.metrics_port:
            super().enqueue_req(conn)
            return
        scrape = self._scrapes.submit(self.handle, conn)
        scrape.add_done_callback(lambda done: self._finish(conn, done))

    def _finish(self, conn: TConn, done: "Future[Any]") -> None:
        self.method_queue.defer(self.finish_request, conn, done)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """A body whose rest cannot be read has had its answer, and ends the connection."""
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except ParseException:
            return False

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be parsed, or whose answer could not be made, as the application would."""
        problem, request_id = _problem_of(exc), secrets.token_hex(12)
        status = KINDS[problem.code].status
        # Never the error's text: it quotes headers, in which tokens are.
        log.warning("request_refused", status=status, error=type(exc).__name__, request_id=request_id)
        self._services.metrics.requests.labels(OTHER, UNPARSED, status).inc()
        body = body_of(problem, "", request_id)
        headers = {
            **SECURITY_HEADERS,
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Request-Id": request_id,
            "Connection": "close",
        }
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {headers[name]}" for name in headers)]
        try:
            util.write_nonblock(client, "\r\n".join([*lines, "", ""]).encode("ascii") + body)
        except OSError:
            log.debug("client_gone")


def _problem_of(error: BaseException) -> Problem:
    if isinstance(error, LimitRequestLine):
        return Problem("uri_too_long")
    if isinstance(error, LimitRequestHeaders):
        return Problem("headers_too_large")
    is_ours = isinstance(error, InvalidResponseHeader | InvalidResponseHeaderName)
    return Problem("bad_request" if isinstance(error, ParseException) and not is_ours else "internal")

"""Structured logs: one JSON line an event, to the console and perhaps to a file. Ids, never secrets, never bodies."""

import logging
import sys
import time
from logging.handlers import RotatingFileHandler
from typing import Any, TextIO

import structlog
from flask import Flask, Response, g, request

from .config import Settings

FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 5

log = structlog.get_logger(__name__)


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers through one formatter."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    root = logging.getLogger()
    root.handlers = _handlers(settings, stream or sys.stderr)
    for handler in root.handlers:
        handler.setFormatter(formatter)
    root.setLevel(settings.log_level.upper())
    # The driver's debug lines hold documents and its warnings host names.
    logging.getLogger("pymongo").setLevel(logging.ERROR)


def _handlers(settings: Settings, stream: TextIO) -> list[logging.Handler]:
    handlers: list[logging.Handler] = [logging.StreamHandler(stream)]
    if settings.log_file:
        handlers.append(RotatingFileHandler(settings.log_file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT))
    return handlers


def register(app: Flask) -> None:
    """One line a request, when it has been answered. The path's ids are left out: the route names the pattern."""

    def begin() -> None:
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.get("request_id"))

    def end(response: Response) -> Response:
        log.info(
            "request",
            method=request.method,
            route=str(request.url_rule) if request.url_rule else None,
            status=response.status_code,
            ms=round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 2),
        )
        return response

    app.before_request(begin)
    app.after_request(end)

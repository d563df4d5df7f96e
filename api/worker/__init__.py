"""The worker: does what transactions left in the outbox. Any number may run; a lease keeps each entry with one.

Delivery is at least once: a worker that dies has its entries taken over when their leases end, so every kind of work
may be repeated.
"""

import signal
import threading

import structlog
from flask import Flask
from pymongo.errors import PyMongoError

from ..metrics import serving
from ..services import services
from .backlog import Backlog
from .relay import work_once
from .trail import follow

log = structlog.get_logger(__name__)


def run(app: Flask) -> None:
    """Work until SIGTERM or SIGINT; what is under way is finished first."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with app.app_context():
        here = services()
        here.metrics.registry.register(Backlog(app))
        serving.serve(here.metrics.registry, here.settings)
        log.info("worker_started")
        trail = threading.Thread(target=follow, args=(app, stopping), name="trail")
        trail.start()
        while not stopping.is_set():
            if not _round():
                stopping.wait(here.settings.worker_poll_ms / 1000)
        trail.join()
        here.connection.close()
    log.info("worker_stopped")


def _round() -> int:
    """How many entries were done. A database that is away is waited for, not died of."""
    try:
        return work_once()
    except PyMongoError as error:
        log.warning("worker_waits_for_database", error=type(error).__name__)
        return 0

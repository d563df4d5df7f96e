"""`/metrics` on a listener of its own, in Prometheus's text format. The public listener knows nothing of it."""

import logging
import threading

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from werkzeug.serving import WSGIRequestHandler, make_server

from .. import edge, errors
from ..config import Settings


def create_metrics_app(registry: CollectorRegistry, settings: Settings) -> Flask:
    """The application of the internal listener: one route."""
    app = Flask("api.metrics", static_folder=None)
    edge.register(app, settings)
    errors.register(app)
    app.add_url_rule(
        "/metrics", "metrics", lambda: Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    )
    return app


class _Quiet(WSGIRequestHandler):
    """Logs no scrape, and does not tell what it is written with."""

    server_version = "shardboard"
    sys_version = ""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None: ...


def serve(registry: CollectorRegistry, settings: Settings) -> None:
    """Serve a process that has no other listener, in the background, until it ends. Port 0: do not.

    Raises:
        SystemExit: the port is taken; that has been said.
    """
    if not settings.metrics_port:
        return
    app = create_metrics_app(registry, settings)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(settings.metrics_bind, settings.metrics_port, app, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()

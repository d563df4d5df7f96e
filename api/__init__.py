"""Shardboard's data API: people, their logins and their tasks, kept in a sharded MongoDB cluster.

`create_app` is the only wiring. Its contract with clients:

- JSON under `/api/v1`; beside it `/health/live`, `/health/ready`, `/openapi.json` (OpenAPI 3.1) and `/swagger`.
- `Authorization: Bearer <access token>` from `POST /api/v1/auth/login`; the token lives 15 minutes and is renewed with
  the refresh token. A logout, a disabled user or a change of role is in force within 2 seconds.
- Every error is `application/problem+json` with `code` and `request_id`; 422 names each refused field.
- 503 means that nothing was changed and the request may be repeated; 504 that a write may have been made.
- Items have a version, shown as `ETag`; PUT, PATCH and DELETE need it as `If-Match` (428 without, 412 when stale).
- `Idempotency-Key` on writes of tasks: the first answer is sent again for 24 hours.
- Writes answer `X-Consistency-Token`; sent back with a read, it makes that read see the write.
- `Prefer` on lists: `consistency=eventual` (from secondaries), `partial` (without shards that do not answer).
- `POST /imports` takes a CSV file and answers 202 with a job, which tells how far it is and what was wrong.
- Lists page by key: `limit` 1 to 100, `next_cursor`; a cursor belongs to its caller, filter and sort.
"""

import os
from collections.abc import Mapping

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from . import docs, edge, errors, logs, routes, turns
from .auth import read_role
from .changes.hub import Hub
from .config import Settings, load
from .consistency import TokenSigner
from .cursors import CursorSigner
from .db import Connection
from .metrics import Metrics
from .metrics import requests as request_metrics
from .monitor import Monitor
from .passwords import Passwords
from .paths import IdRule
from .services import EXTENSION, Services
from .standing import OwnCache, SessionCache, SharedCache
from .tokens import TokenKeys


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """The application, from settings in `environ` (the process's own by default). It connects on its first request.

    Raises:
        ConfigError: a setting is missing or makes no sense.
    """
    settings = load(os.environ if environ is None else environ)
    logs.configure(settings)
    app = Flask("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.strict_slashes = True
    app.url_rule_class = IdRule
    services = app.extensions[EXTENSION] = make_services(app, settings)
    request_metrics.register(app, services.metrics)
    turns.register(app, settings.threads)
    edge.register(app, settings)
    logs.register(app)
    errors.register(app)
    routes.register(app)
    if settings.api_docs:
        docs.register(app)
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=1)  # type: ignore[method-assign]
    return app


def make_services(app: Flask, settings: Settings) -> Services:
    """The long-lived parts of a process."""
    metrics = Metrics()
    return Services(
        settings=settings,
        metrics=metrics,
        connection=Connection(app, settings, metrics),
        passwords=Passwords(
            settings.argon2_memory_kib,
            settings.argon2_time,
            settings.argon2_parallelism,
            settings.hash_slots,
            settings.hash_wait_ms,
            metrics.hashes,
        ),
        token_keys=TokenKeys(settings.jwt_keys, settings.access_token_s),
        standing=make_standing(settings),
        cursors=CursorSigner(settings.jwt_keys),
        moments=TokenSigner(settings.jwt_keys),
        monitor=Monitor(settings),
        changes=Hub(app, settings.changes_clients),
    )


def make_standing(settings: Settings) -> SessionCache:
    """What remembers sessions: each process for itself, or all of them in memcached."""
    if not settings.memcached_servers:
        return OwnCache(read_role)
    return SharedCache(read_role, settings.memcached_servers, settings.jwt_keys, settings.threads)

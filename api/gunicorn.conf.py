"""How gunicorn serves the API: `gunicorn -c api/gunicorn.conf.py "api:create_app()"`.

Settings come from the environment (`python -m api settings`). The cluster is checked once, before a worker is forked
and a port is opened; each worker makes its own application and so its own client. A failed check is one sentence and
exit code 1.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from api.config import ConfigError, load
from api.db import check_cluster
from api.metrics import shared


def _or_exit(work: Callable[[], Any]) -> Any:
    """What `work` answers; where a setting is wrong, its sentence and the end."""
    try:
        return work()
    except ConfigError as error:
        print(f"api: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


def on_starting(_server: Any) -> None:
    """gunicorn's hook; not run again by a reload, which must not end a service whose database is away."""
    _or_exit(lambda: check_cluster(_settings))
    shared.open_directory()


def child_exit(_server: Any, _worker: Any) -> None:
    """gunicorn's hook: a worker process has ended."""
    shared.forget_dead()


_settings = _or_exit(lambda: load(os.environ))

bind = [f"{_settings.bind}:{_settings.port}"]
if _settings.metrics_port:
    bind.append(f"{_settings.metrics_bind}:{_settings.metrics_port}")
workers = _settings.workers
# A client that follows changes holds a thread of its own, which mostly waits; `api.turns` keeps the others to THREADS.
threads = _settings.threads + _settings.changes_clients
worker_connections = 1000 + threads
worker_class = "api.gunicorn_worker.Worker"
# Where the worker's heartbeat file lies: a disk that stalls must not look like a worker that hangs.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112
timeout = 60
graceful_timeout = _settings.graceful_stop_s
keepalive = 75
preload_app = False
control_socket_disable = True
# The API writes its own line for each request.
accesslog = None
errorlog = "-"
loglevel = "warning"
# Trusted proxies are counted by TRUSTED_PROXIES, not by address.
forwarded_allow_ips = ""
limit_request_line = 8190

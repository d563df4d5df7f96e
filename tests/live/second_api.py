"""Another API on the same cluster, with settings of its own: `with second_api(api, {"WORKERS": "3"}) as url`."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
from support import free_port

from cluster.layout import PACKAGE_ROOT
from cluster.roles import API
from cluster.run.services import GUNICORN, Services
from cluster.wait import NotReady, wait_until

STOP_S = 20


@contextmanager
def second_api(api: Services, extra: Mapping[str, str]) -> Iterator[str]:
    """Where it listens, once it is ready; its processes end with the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {**api.environment(API), **extra, "PORT": str(port), "METRICS_PORT": "0"}
    with subprocess.Popen([sys.executable, *GUNICORN], cwd=PACKAGE_ROOT, env=environ) as process:
        try:
            wait_until("the second API", lambda: require_ready(url, process), 30)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def require_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Raises NotReady until it answers; AssertionError when it has ended."""
    assert process.poll() is None, "the second API has ended"
    try:
        if requests.get(f"{url}/health/ready", timeout=5).status_code != 200:
            raise NotReady("not ready")
    except requests.ConnectionError as error:
        raise NotReady("no answer") from error

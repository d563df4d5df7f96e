"""The API and its worker as processes beside a local cluster.

Secrets reach them in files that only their owner can read, never in arguments or in the environment.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from urllib.error import HTTPError
from urllib.request import urlopen

from ..api_command import run_api_command
from ..errors import ClusterError
from ..layout import write_private
from ..local import LocalCluster
from ..nodes.ports import is_free, require_free, require_lasting
from ..nodes.process import process_in
from ..roles import API, MONITOR, WORKER, Account
from ..topology import LOOPBACK
from ..wait import NotReady, WaitTimeout, wait_until

ADMIN_USERNAME = "admin"
OTHER_PORT = "choose another one with --port PORT"
READY_TIMEOUT_S = 60
ANSWER_TIMEOUT_S = 5
# gunicorn's workers look once a second whether their parent still lives, and finish what is in flight.
ORPHANS_TIMEOUT_S = 10
GUNICORN = ("-m", "gunicorn", "-c", "api/gunicorn.conf.py", "api:create_app()")


class Services:
    """The API and the worker of one local cluster.

    The API listens on `port`, its metrics are on `metrics_port` and those of the worker on the next one; 0: nowhere.
    """

    def __init__(
        self, cluster: LocalCluster, port: int, extra: Mapping[str, str] | None = None, metrics_port: int = 0
    ) -> None:
        self._cluster = cluster
        self._port = port
        self._metrics_ports = {API: metrics_port, WORKER: metrics_port and metrics_port + 1}
        self._extra = dict(extra or {})
        self.api = process_in(cluster.data_dir, "api")
        self.worker = process_in(cluster.data_dir, "worker")

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def metrics_urls(self) -> dict[str, str]:
        """Where Prometheus finds the metrics of `api` and `worker`."""
        ports = {"api": self._metrics_ports[API], "worker": self._metrics_ports[WORKER]}
        return {name: f"http://{LOOPBACK}:{port}/metrics" for name, port in ports.items() if port}

    @property
    def admin_password(self) -> str:
        return self._cluster.secrets.password("first_admin")

    def require_port(self) -> None:
        """Raises ClusterError, with the remedy, when the API's port is taken or may be at any time."""
        if self.api.was_killed:
            with suppress(WaitTimeout):
                wait_until("the port of a killed API", self._see_port_free, ORPHANS_TIMEOUT_S)
        require_free(self._port, "the API", OTHER_PORT)
        require_lasting(self._port, "the API", OTHER_PORT)

    def _see_port_free(self) -> None:
        if not is_free(self._port):
            raise NotReady("it is taken")

    def start_api(self) -> None:
        """Starts the API and returns when it is ready.

        Raises:
            ClusterError: it ended.
            WaitTimeout: it is not ready within a minute.
        """
        self.api.start([sys.executable, *GUNICORN], self.environment(API))
        wait_until("the API", self._require_ready, READY_TIMEOUT_S)

    def start_worker(self) -> None:
        """Starts the worker and returns at once."""
        self.worker.start([sys.executable, "-m", "api", "worker"], self.environment(WORKER))

    def stop(self) -> bool:
        """Stops the worker, then the API, which finishes what is in flight; whether one of them was running."""
        return any([self.worker.stop(), self.api.stop()])

    def create_first_admin(self) -> None:
        """Makes the administrator `admin` unless it exists; a restart keeps the login.

        Raises:
            ClusterError: the command failed.
        """
        self._command("first-admin", "--password-stdin", said=f"{self.admin_password}\n")

    def create_demo(self) -> str:
        """Makes sample users, projects and tasks; says what was made.

        Raises:
            ClusterError: the command failed.
        """
        return self._command("demo")

    def environment(self, account: Account) -> dict[str, str]:
        """Settings of the API as `account`; the caller's own, which may mean another cluster, give way."""
        settings = {
            "MONGODB_URI_FILE": self._secret_file(f"{account.name}.uri", self._cluster.uri(account)),
            "MONGODB_MONITOR_URI_FILE": self._secret_file(f"{MONITOR.name}.uri", self._cluster.uri(MONITOR)),
            "MONGODB_DB": self._cluster.database,
            "JWT_KEYS_FILE": self._secret_file("jwt_keys", f"key-1:{self._cluster.secrets.key('jwt')}"),
            "BIND": LOOPBACK,
            "PORT": str(self._port),
            "METRICS_BIND": LOOPBACK,
            "METRICS_PORT": str(self._metrics_ports[account]),
            "LETTERS_DIR": str(self._cluster.data_dir.letters),
        }
        inherited = {name: value for name, value in os.environ.items() if f"{name}_FILE" not in settings}
        return {**inherited, "PYTHONUNBUFFERED": "1", **settings, **self._extra}

    def _secret_file(self, name: str, text: str) -> str:
        path = self._cluster.secrets.directory / name
        write_private(path, text + "\n")
        return str(path)

    def _command(self, name: str, *options: str, said: str = "") -> str:
        return run_api_command(name, *options, environ=self.environment(API), said=said)

    def _require_ready(self) -> None:
        if self.api.pid is None:
            raise ClusterError(f"The API has ended ({self.api.last_words()}): see {self.api.output}.")
        try:
            with urlopen(f"{self.url}/health/ready", timeout=ANSWER_TIMEOUT_S):
                return
        except HTTPError as error:
            raise NotReady(f"status {error.code}") from error
        except OSError as error:
            raise NotReady(str(error)) from error

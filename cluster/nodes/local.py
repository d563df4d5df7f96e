"""Members and routers as processes of this machine: start, stop, kill, pause, resume, look at the log."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..binaries import Binary
from ..command_lines import mongod_argv, router_argv
from ..errors import ClusterError
from ..layout import DataDir
from ..secrets import Secrets
from ..topology import Cluster, Member, Node
from .ports import require_free
from .process import Process, process_in

LOG_TAIL_LINES = 20
# The certificate of this machine's nodes is good for `localhost` and the loopback addresses.
LOCAL_HOST = "localhost"


class LocalNodes:
    """The processes of one local cluster. `extra_parameters` are more `--setParameter name=value` for each of them."""

    def __init__(
        self,
        data_dir: DataDir,
        cluster: Cluster,
        mongod: Binary,
        mongos: Binary,
        secrets: Secrets,
        extra_parameters: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._data_dir = data_dir
        self._cluster = cluster
        self._mongod = mongod
        self._mongos = mongos
        self._secrets = secrets
        self._extra_parameters = tuple(extra_parameters)
        self._environ = environ
        self._processes = {node.name: process_in(data_dir, node.name) for node in cluster.nodes}

    def start(self, node: Node) -> bool:
        """Starts the process of `node` and returns at once; whether it was not running.

        Raises:
            ClusterError: its port is taken, or the program cannot be started.
        """
        if self.is_running(node):
            return False
        require_free(node.port, node.name)
        self._process(node).start(self._argv(node), self._environ)
        return True

    def pid(self, node: Node) -> int | None:
        """The pid of the running process of `node`."""
        return self._process(node).pid

    def is_running(self, node: Node) -> bool:
        """Whether the process exists; a paused one does."""
        return self.pid(node) is not None

    def running(self) -> tuple[Node, ...]:
        return tuple(node for node in self._cluster.nodes if self.is_running(node))

    def require_running(self, node: Node) -> None:
        """Raises ClusterError with the end of the log when the process has ended."""
        if not self.is_running(node):
            raise ClusterError(
                f"{node.name} has ended ({self.last_words(node)}): see {self.log(node)}, and start it with "
                "`scripts/cluster up`."
            )

    def stop(self, node: Node) -> bool:
        """Asks the process to end, and kills it when it does not; whether it was running."""
        return self._process(node).stop()

    def kill(self, node: Node) -> bool:
        """Ends the process with SIGKILL, as a crash would; whether it was running."""
        return self._process(node).kill()

    def pause(self, node: Node) -> None:
        """Freezes the process with SIGSTOP: its connections stay open and nothing answers.

        Raises:
            ClusterError: it does not run.
        """
        self._signal(node, signal.SIGSTOP)

    def resume(self, node: Node) -> None:
        """Lets a frozen process go on.

        Raises:
            ClusterError: it does not run.
        """
        self._signal(node, signal.SIGCONT)

    def log(self, node: Node) -> Path:
        return self._data_dir.log(node.name)

    def log_tail(self, node: Node, lines: int = LOG_TAIL_LINES) -> str:
        """The last lines of the log, then what the process printed outside it."""
        files = (self.log(node), self._process(node).output)
        texts = [path.read_text(errors="replace") for path in files if path.exists()]
        return "\n".join(line for text in texts for line in text.splitlines()[-lines:])

    def last_words(self, node: Node) -> str:
        """Why the process ended, as far as its output tells, in one line."""
        return self._process(node).last_words(self.log(node))

    def _process(self, node: Node) -> Process:
        return self._processes[node.name]

    def _signal(self, node: Node, number: signal.Signals) -> None:
        if not self._process(node).signal(number):
            raise ClusterError(f"{node.name} is not running: start the cluster with `scripts/cluster up` first.")

    def _argv(self, node: Node) -> list[str]:
        log, keyfile, extra = self.log(node), self._secrets.keyfile, self._extra_parameters
        tls = self._secrets.node_tls(LOCAL_HOST)
        if isinstance(node, Member):
            db_path = self._data_dir.db(node.name)
            db_path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return mongod_argv(self._mongod, node, db_path, log, keyfile, extra, tls)
        return router_argv(self._mongos, node, self._cluster.config_set, log, keyfile, extra, tls)

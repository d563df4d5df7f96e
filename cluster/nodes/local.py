"""Members and routers as processes of this machine: start, stop, kill, pause, resume, look at the log.

A process outlives the command that starts it. Its pid file names pid and start time, so that a number which the
system has given to somebody else since is never signalled.
"""

import json
import logging
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from ..binaries import Binary
from ..command_lines import mongod_argv, router_argv
from ..errors import ClusterError
from ..layout import DataDir, write_private
from ..topology import Cluster, Member, Node
from ..wait import NotReady, WaitTimeout, wait_until
from .ports import require_free

logger = logging.getLogger(__name__)

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
# A member flushes its data on SIGTERM; a loaded machine with nine of them takes a few seconds.
STOP_TIMEOUT_S = 30
KILL_TIMEOUT_S = 10
# psutil derives a start time from the boot time, which moves when the clock is set.
SAME_START_S = 2.0
LOG_TAIL_LINES = 20


class LocalNodes:
    """The processes of one local cluster. `extra_parameters` are more `--setParameter name=value` for each of them."""

    def __init__(
        self,
        data_dir: DataDir,
        cluster: Cluster,
        mongod: Binary,
        mongos: Binary,
        keyfile: Path,
        extra_parameters: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._data_dir = data_dir
        self._cluster = cluster
        self._mongod = mongod
        self._mongos = mongos
        self._keyfile = keyfile
        self._extra_parameters = tuple(extra_parameters)
        self._environ = environ
        # Kept so that a process that we started and that ended is reaped.
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, node: Node) -> bool:
        """Starts the process of `node` and returns at once; whether it was not running.

        Raises:
            ClusterError: its port is taken, or the program cannot be started.
        """
        if self.is_running(node):
            return False
        require_free(node.port, node.name)
        with self._data_dir.output(node.name).open("wb") as output:
            child = self._spawn(self._argv(node), output.fileno())
        self._children[node.name] = child
        started_at = psutil.Process(child.pid).create_time()
        write_private(self._data_dir.pid(node.name), json.dumps({"pid": child.pid, "started_at": started_at}))
        logger.info("started %s, pid %d, port %d", node.name, child.pid, node.port)
        return True

    def pid(self, node: Node) -> int | None:
        """The pid of the running process of `node`."""
        process = self._process(node)
        return process.pid if process else None

    def is_running(self, node: Node) -> bool:
        """Whether the process exists; a paused one does."""
        return self._process(node) is not None

    def running(self) -> tuple[Node, ...]:
        return tuple(node for node in self._cluster.nodes if self.is_running(node))

    def require_running(self, node: Node) -> None:
        """Raises ClusterError with the end of the log when the process has ended."""
        if not self.is_running(node):
            raise ClusterError(f"{node.name} has ended: {self.last_words(node)}; its log is {self.log(node)}.")

    def stop(self, node: Node, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Asks the process to end, and kills it after `timeout_s`; whether it was running."""
        process = self._process(node)
        if process is None:
            return False
        # A paused process sees SIGTERM only once it goes on.
        _signal(process, signal.SIGCONT)
        _signal(process, signal.SIGTERM)
        try:
            self._wait_gone(node, timeout_s)
        except WaitTimeout:
            logger.warning("%s did not stop within %g s: killed", node.name, timeout_s)
            self.kill(node)
        return True

    def kill(self, node: Node) -> bool:
        """Ends the process with SIGKILL, as a crash would; whether it was running.

        Raises:
            WaitTimeout: the process did not go, e.g. while it hangs in a disk.
        """
        process = self._process(node)
        if process is None:
            return False
        _signal(process, signal.SIGKILL)
        self._wait_gone(node, KILL_TIMEOUT_S)
        return True

    def pause(self, node: Node) -> None:
        """Freezes the process with SIGSTOP: its connections stay open and nothing answers.

        Raises:
            ClusterError: it does not run.
        """
        self._signal_running(node, signal.SIGSTOP)

    def resume(self, node: Node) -> None:
        """Lets a frozen process go on.

        Raises:
            ClusterError: it does not run.
        """
        self._signal_running(node, signal.SIGCONT)

    def log(self, node: Node) -> Path:
        return self._data_dir.log(node.name)

    def log_tail(self, node: Node, lines: int = LOG_TAIL_LINES) -> str:
        """The last lines of the log, then what the process printed outside it."""
        files = (self.log(node), self._data_dir.output(node.name))
        texts = [path.read_text(errors="replace") for path in files if path.exists()]
        return "\n".join(line for text in texts for line in text.splitlines()[-lines:])

    def last_words(self, node: Node) -> str:
        """Why the process ended, as far as its output tells, in one line."""
        for path in (self._data_dir.output(node.name), self.log(node)):
            lines = path.read_text(errors="replace").split("\n") if path.exists() else []
            errors = [line for line in lines if '"s":"F"' in line or "rror" in line]
            if errors:
                return errors[-1].strip()[:300]
        return "it said nothing"

    def _argv(self, node: Node) -> list[str]:
        log = self.log(node)
        if isinstance(node, Member):
            db_path = self._data_dir.db(node.name)
            db_path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return mongod_argv(self._mongod, node, db_path, log, self._keyfile, self._extra_parameters)
        config_set = self._cluster.config_set
        return router_argv(self._mongos, node, config_set, log, self._keyfile, self._extra_parameters)

    def _spawn(self, argv: list[str], output: int) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                argv,
                cwd=PACKAGE_ROOT,
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C in the terminal reaches the command only, which stops its nodes in order.
                start_new_session=True,
            )
        except OSError as error:
            raise ClusterError(f"{argv[0]} cannot be started ({error.strerror}): see MONGODB_BIN.") from error

    def _process(self, node: Node) -> psutil.Process | None:
        child = self._children.get(node.name)
        if child is not None:
            child.poll()
        try:
            saved = json.loads(self._data_dir.pid(node.name).read_text())
            process = psutil.Process(saved["pid"])
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process if abs(process.create_time() - saved["started_at"]) < SAME_START_S else None
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None

    def _signal_running(self, node: Node, number: signal.Signals) -> None:
        process = self._process(node)
        if process is None:
            raise ClusterError(f"{node.name} is not running: start the cluster with `scripts/cluster up` first.")
        _signal(process, number)

    def _wait_gone(self, node: Node, timeout_s: float) -> None:
        def probe() -> None:
            if self.is_running(node):
                raise NotReady("it still runs")

        wait_until(f"the end of {node.name}", probe, timeout_s)
        self._data_dir.pid(node.name).unlink(missing_ok=True)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    # Gone already: what every caller wants to know is asked afterwards.
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)

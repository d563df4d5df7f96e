"""A process that outlives the command that starts it: a member, a router, the API, the worker.

Its pid file names pid and start time, so that a number which the system has given to somebody else since is never
signalled.
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

from ..errors import ClusterError
from ..layout import PACKAGE_ROOT, DataDir, write_private
from ..wait import NotReady, WaitTimeout, wait_until

logger = logging.getLogger(__name__)

# A member flushes its data on SIGTERM; a loaded machine with nine of them takes a few seconds.
STOP_TIMEOUT_S = 30
KILL_TIMEOUT_S = 10
# psutil derives a start time from the boot time, which moves when the clock is set.
SAME_START_S = 2.0


class Process:
    """One process by name: `pid_file` remembers it, `output` takes what it prints."""

    def __init__(self, name: str, pid_file: Path, output: Path) -> None:
        self.name = name
        self.output = output
        self._pid_file = pid_file
        # Kept so that a process that we started and that ended is reaped.
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        """Starts it in a session of its own: Ctrl-C reaches the command only, which stops its processes in order.

        Raises:
            ClusterError: the program cannot be started.
        """
        with self.output.open("wb") as output:
            try:
                self._child = subprocess.Popen(
                    argv,
                    cwd=PACKAGE_ROOT,
                    env=dict(environ),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except OSError as error:
                raise ClusterError(f"{argv[0]} cannot be started ({error.strerror}): see that it can be.") from error
        started_at = psutil.Process(self._child.pid).create_time()
        write_private(self._pid_file, json.dumps({"pid": self._child.pid, "started_at": started_at}))
        logger.info("started %s, pid %d", self.name, self._child.pid)

    @property
    def pid(self) -> int | None:
        """The pid while it runs; a paused process does."""
        found = self._find()
        return found.pid if found else None

    @property
    def was_killed(self) -> bool:
        """Whether it ended without being stopped; processes that it started may live a moment longer."""
        return self._pid_file.exists() and self.pid is None

    def wait(self) -> None:
        """Returns when the process, which this command started, has ended."""
        if self._child is not None:
            self._child.wait()

    def signal(self, number: signal.Signals) -> bool:
        """Sends a signal; whether there was a process to take it."""
        found = self._find()
        if found is None:
            return False
        with suppress(psutil.NoSuchProcess):
            # Gone in this moment: what every caller wants to know is asked afterwards.
            found.send_signal(number)
        return True

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Asks the process to end, and kills it after `timeout_s`; whether it was running."""
        # A paused process sees SIGTERM only once it goes on.
        if not (self.signal(signal.SIGCONT) and self.signal(signal.SIGTERM)):
            return False
        try:
            self._wait_gone(timeout_s)
        except WaitTimeout:
            logger.warning("%s did not stop within %g s: killed.", self.name, timeout_s)
            self.kill()
        return True

    def kill(self) -> bool:
        """Ends the process, and those that it started, with SIGKILL, as a crash would; whether it was running.

        Raises:
            WaitTimeout: the process did not go, e.g. while it hangs in a disk.
        """
        found = self._find()
        if found is None:
            return False
        with suppress(ProcessLookupError):
            # A session of its own is a group of its own.
            os.killpg(found.pid, signal.SIGKILL)
        self._wait_gone(KILL_TIMEOUT_S)
        return True

    def last_words(self, *logs: Path) -> str:
        """Why the process ended, as far as its output and `logs` tell, in one line."""
        for path in (self.output, *logs):
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
            errors = [line for line in lines if '"s":"F"' in line or "rror" in line]
            if errors:
                return errors[-1].strip()[:300]
        return "it said nothing"

    def _find(self) -> psutil.Process | None:
        if self._child is not None:
            self._child.poll()
        try:
            saved = json.loads(self._pid_file.read_text())
            found = psutil.Process(saved["pid"])
            same = abs(found.create_time() - saved["started_at"]) < SAME_START_S
            return found if same and not _has_ended(found) else None
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None

    def _wait_gone(self, timeout_s: float) -> None:
        def probe() -> None:
            if self.pid is not None:
                raise NotReady("it still runs")

        wait_until(f"the end of {self.name}", probe, timeout_s)
        self._pid_file.unlink(missing_ok=True)


def _has_ended(process: psutil.Process) -> bool:
    """Whether it is a zombie, with all of its threads: those that are still on their way out hold its ports."""
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1


def process_in(data_dir: DataDir, name: str) -> Process:
    """The process that a data directory remembers under `name`."""
    return Process(name, data_dir.pid(name), data_dir.output(name))

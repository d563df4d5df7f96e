"""The metrics of several processes in one place: files in a private directory, one set a process, added up when read.

Each process holds a numbered place. One that follows a dead process takes its place and goes on with its figures: no
counter goes down, and there are never more files than processes at once.
"""

import atexit
import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO

from prometheus_client import CollectorRegistry, Metric, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

# Where prometheus_client looks for the directory.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Memory: counting must not wait for a disk.
MEMORY = Path("/dev/shm")
# A file that is being made is empty for a moment.
TRIES = 5

PREFIX, OWNER = "shardboard-metrics-", "owner"

# The lock of the directory, held by the process that made it and by all that it forks.
_owned: IO[str] | None = None
# The lock of this process's place; the system opens it when the process ends, however it does.
_held: IO[str] | None = None


def open_directory() -> None:
    """Make the directory for the processes that this one forks; it goes when this one ends.

    One that was killed has left its own: that goes now.
    """
    global _owned
    parent = MEMORY if MEMORY.is_dir() else Path(tempfile.gettempdir())
    _remove_left_over(parent)
    directory = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
    os.environ[VARIABLE] = directory
    # Named so only when it is locked: nobody takes it for one that was left.
    unlocked = Path(directory) / "owner.new"
    _owned = _lock(unlocked)
    unlocked.rename(Path(directory) / OWNER)
    owner = os.getpid()

    def remove() -> None:
        # Forked processes inherit this.
        if os.getpid() == owner:
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(remove)


def _remove_left_over(parent: Path) -> None:
    """Remove directories of ours whose processes have all ended: forked ones hold the owner's lock as well."""
    for owner in parent.glob(f"{PREFIX}*/{OWNER}"):
        with suppress(OSError):
            lock = _lock(owner)
            if lock is not None:
                shutil.rmtree(owner.parent, ignore_errors=True)
                lock.close()


def join() -> None:
    """Keep the metrics that this process makes from now on in the directory, in the first place that is free."""
    global _held
    for number in count():
        _held = _hold(number)
        if _held is not None:
            break
    mark_process_dead(number)
    values.ValueClass = values.MultiProcessValue(lambda: number)


def forget_dead() -> None:
    """Some process has ended: what it had in flight or open is gone. Its counters stay."""
    for path in _directory().glob("place-*"):
        number = int(path.name.partition("-")[2])
        lock = _hold(number)
        if lock is not None:
            mark_process_dead(number)
            lock.close()


def registry() -> CollectorRegistry:
    """All processes together."""
    found = CollectorRegistry()
    found.register(_Patient())
    return found


class _Patient(Collector):
    def collect(self) -> Iterable[Metric]:
        for left in reversed(range(TRIES)):
            try:
                return list(MultiProcessCollector(None).collect())
            except struct.error:
                if not left:
                    raise
        return []

    def describe(self) -> Iterable[Metric]:
        """Nothing: it is not known before it is read."""
        return []


def _directory() -> Path:
    return Path(os.environ[VARIABLE])


def _hold(number: int) -> IO[str] | None:
    """The lock of a place; None while another process has it."""
    return _lock(_directory() / f"place-{number}")


def _lock(path: Path) -> IO[str] | None:
    """The file, open and locked until it is closed; None while another process has it."""
    lock: IO[str] = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock

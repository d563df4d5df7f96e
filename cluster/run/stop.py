"""`scripts/stop`: stops what `scripts/run` has started; data stays."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..cli import guarded
from ..layout import DataDir
from ..local import LocalCluster
from ..nodes.process import process_in
from ..progress import Progress
from . import record


def main(arguments: Sequence[str] | None = None) -> int:
    """Stops the run, if there is one; answers the exit code."""
    argparse.ArgumentParser(
        prog="scripts/stop",
        description="Stops what scripts/run has started: worker, API, cluster. Data stays.",
        epilog="example: scripts/stop",
    ).parse_args(arguments)
    return guarded(stop)


def stop() -> int:
    """Worker, API, cluster, in this order.

    Raises:
        ClusterError: the data directory of the run is gone, or a process does not end.
    """
    progress = Progress()
    found = record.read()
    if found is None:
        progress.say("Nothing runs.")
        return 0
    root = Path(found.data_dir)
    with progress.step("stop the API and the worker") as outcome:
        was_running = [process_in(DataDir(root), name).stop() for name in ("worker", "api")]
        outcome.changed = any(was_running)
    LocalCluster.open(root).down(progress)
    record.remove()
    progress.say(f"Stopped. Data stays in {root}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command line: `scripts/cluster CMD`, the same as `python -m cluster CMD`.

Exit 0 only on success. Errors are one sentence on stderr that says what to do.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import table
from .cli import DEFAULT_DATA, add_shape, guarded, wishes
from .errors import ClusterError
from .local import LocalCluster
from .progress import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and answers its exit code."""
    args = parser().parse_args(arguments)
    return guarded(lambda: int(args.run(args)))


def parser() -> argparse.ArgumentParser:
    """Every command with its options, its help and an example."""
    root = argparse.ArgumentParser(prog="scripts/cluster", description="Brings up, shows and stops a sharded cluster.")
    commands = root.add_subparsers(dest="command", required=True, metavar="CMD")
    up = _add(commands, "up", run_up, "start a local cluster, or go on with one", "scripts/cluster up --members 1")
    add_shape(up)
    up.add_argument("--port", type=int, metavar="P", help="first of its ports (default: a free block from 27017 on)")
    down = _add(commands, "down", run_down, "stop the local cluster; data stays", "scripts/cluster down --wipe --yes")
    down.add_argument("--wipe", action="store_true", help="also remove its data, after asking")
    down.add_argument("--yes", action="store_true", help="do not ask")
    _add(commands, "init", run_init, "bring running nodes to a working cluster", "scripts/cluster init")
    status = _add(
        commands, "status", run_status, "show the state; exit 1 when something is wrong", "scripts/cluster status"
    )
    status.add_argument("--json", action="store_true", help="for programs")
    return root


def run_up(args: argparse.Namespace) -> int:
    """`cluster up`."""
    progress = Progress()
    cluster = LocalCluster.create(args.data, wishes(args), args.port)
    where = f"{cluster.router_kind} at {cluster.cluster.routers_address}, data in {args.data}"
    if cluster.up(progress):
        progress.say(f"The cluster is up: {where}.")
    else:
        progress.say(f"The cluster was up already: {where}. Nothing was changed.")
    return 0


def run_init(args: argparse.Namespace) -> int:
    """`cluster init`."""
    progress = Progress()
    changed = LocalCluster.open(args.data).init(progress)
    progress.say("The cluster is ready." if changed else "The cluster was ready already: nothing was changed.")
    return 0


def run_down(args: argparse.Namespace) -> int:
    """`cluster down`."""
    progress = Progress()
    cluster = LocalCluster.open(args.data)
    if args.wipe and not args.yes and not _confirmed(args.data):
        raise ClusterError("Nothing was stopped or removed: say yes, or give --yes.")
    stopped = cluster.down(progress)
    progress.say("The cluster is stopped." if stopped else "The cluster was not running.")
    if args.wipe:
        shutil.rmtree(cluster.data_dir.root)
        progress.say(f"{args.data} is removed.")
    return 0


def run_status(args: argparse.Namespace) -> int:
    """`cluster status`."""
    cluster = LocalCluster.open(args.data)
    status = cluster.status()
    if args.json:
        print(json.dumps(table.document(status), indent=2))
    else:
        table.show(status)
    return 0 if status.problem() is None else 1


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    help_text: str,
    example: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name, help=help_text, description=help_text.capitalize() + ".", epilog=f"example: {example}"
    )
    command.set_defaults(run=run)
    command.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help="data directory (%(default)s)")
    return command


def _confirmed(data: Path) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"Remove {data} and everything in it? [yes/no] ").strip().lower() == "yes"


if __name__ == "__main__":
    sys.exit(main())

"""`up`, `down`: the processes of a local cluster."""

import argparse
import shutil
import sys
from pathlib import Path

from ..cli import DEFAULT_DATA, add_shape, add_tls, port, wishes
from ..errors import ClusterError
from ..local import LocalCluster
from ..progress import Progress
from .base import Commands, add_command


def add(commands: Commands) -> None:
    """Adds both commands."""
    up = add_command(
        commands, "up", run_up, "start a local cluster, or go on with one", "scripts/cluster up --members 1"
    )
    _add_data(up)
    add_shape(up)
    add_tls(up)
    up.add_argument("--port", type=port, metavar="P", help="first of its ports (default: a free block from 27017 on)")
    down = add_command(
        commands, "down", run_down, "stop the local cluster; data stays", "scripts/cluster down --wipe --yes"
    )
    _add_data(down)
    down.add_argument("--wipe", action="store_true", help="also remove its data, after asking")
    down.add_argument("--yes", action="store_true", help="do not ask")


def run_up(args: argparse.Namespace) -> int:
    """`cluster up`."""
    progress = Progress()
    cluster = LocalCluster.create(args.data, wishes(args), args.port, tls=args.tls)
    where = f"{cluster.router_kind} at {cluster.cluster.routers_address}, data in {args.data}"
    if cluster.up(progress):
        progress.say(f"The cluster is up: {where}.")
    else:
        progress.say(f"The cluster was up already: {where}. Nothing was changed.")
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


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help="data directory (%(default)s)")


def _confirmed(data: Path) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"Remove {data} and everything in it? [yes/no] ").strip().lower() == "yes"

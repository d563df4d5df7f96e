"""`status`: the state of a cluster at a glance."""

import argparse
import json
from pathlib import Path

from .. import table
from ..cli import DEFAULT_DATA
from ..local import LocalCluster
from .base import Commands, add_command


def add(commands: Commands) -> None:
    """Adds the command."""
    status = add_command(
        commands, "status", run_status, "show the state; exit 1 when something is wrong", "scripts/cluster status"
    )
    status.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help="data directory (%(default)s)")
    status.add_argument("--json", action="store_true", help="for programs")


def run_status(args: argparse.Namespace) -> int:
    """`cluster status`."""
    cluster = LocalCluster.open(args.data)
    status = cluster.status()
    if args.json:
        print(json.dumps(table.document(status), indent=2))
    else:
        table.show(status)
    return 0 if status.problem() is None else 1

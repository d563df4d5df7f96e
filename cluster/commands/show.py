"""`status`: the state of a cluster at a glance."""

import argparse
import json

from rich.console import Console
from rich.live import Live

from .. import table
from ..observe import observe_all
from ..observe_routers import observe_routers
from ..status import ClusterStatus
from ..target import Target, add_target, target_of
from ..wait import rest
from .base import Commands, add_command

WATCH_S = 2.0


def add(commands: Commands) -> None:
    """Adds the command."""
    status = add_command(
        commands, "status", run_status, "show the state; exit 1 when something is wrong", "scripts/cluster status"
    )
    add_target(status)
    status.add_argument("--json", action="store_true", help="for programs; with --watch a line a picture")
    status.add_argument(
        "--watch",
        type=float,
        nargs="?",
        const=WATCH_S,
        metavar="S",
        help=f"again and again, every S seconds ({WATCH_S:g}), until Ctrl-C",
    )


def run_status(args: argparse.Namespace) -> int:
    """`cluster status`."""
    target = target_of(args)
    if args.watch is not None:
        return _watch(target, args.watch, args.json)
    status = picture_of(target)
    if args.json:
        print(json.dumps(table.document(status), indent=2))
    else:
        table.show(status)
    return 0 if status.problem() is None else 1


def picture_of(target: Target) -> ClusterStatus:
    """The state of the cluster now."""
    if target.cluster is not None:
        return observe_all(target.cluster, target.secrets, target.database)
    with target.routers() as routers:
        return observe_routers(routers, target.secrets, target.database)


def _watch(target: Target, every_s: float, as_json: bool) -> int:
    """Pictures until Ctrl-C, which is how it is meant to end; on a terminal each in the place of the one before."""
    console = Console(highlight=False)
    try:
        if as_json or not console.is_terminal:
            _print_forever(target, every_s, as_json)
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(table.screen(picture_of(target)), refresh=True)
                rest(every_s)
    except KeyboardInterrupt:
        return 0


def _print_forever(target: Target, every_s: float, as_json: bool) -> None:
    while True:
        status = picture_of(target)
        if as_json:
            print(json.dumps(table.document(status)), flush=True)
        else:
            table.show(status)
        rest(every_s)

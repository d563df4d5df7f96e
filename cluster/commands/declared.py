"""`init`, `check`: make a cluster what is declared, and say where it is not."""

import argparse
import json
from typing import Any

from .. import check
from ..access_drift import all_differences
from ..drift import Difference
from ..found import read_found
from ..init import init
from ..progress import Progress
from ..survey import REACHABLE_TIMEOUT_S
from ..target import Target, add_target, target_of
from .base import Commands, add_command


def add(commands: Commands) -> None:
    """Adds both commands."""
    found = add_command(
        commands, "init", run_init, "bring running nodes to a working cluster", "scripts/cluster init --inventory FILE"
    )
    add_target(found)
    found.add_argument(
        "--wait",
        type=float,
        default=REACHABLE_TIMEOUT_S,
        metavar="S",
        help="how long a node has to answer, in seconds (%(default)g)",
    )
    found = add_command(
        commands,
        "check",
        run_check,
        "compare the cluster with what is declared; exit 1 on a difference",
        "scripts/cluster check --fix",
    )
    add_target(found)
    found.add_argument("--fix", action="store_true", help="mend what loses nothing and blocks nobody")
    found.add_argument("--json", action="store_true", help="for programs")


def run_init(args: argparse.Namespace) -> int:
    """`cluster init`."""
    progress = Progress()
    changed = init(target_of(args), progress, args.wait)
    progress.say("The cluster is ready." if changed else "The cluster was ready already: nothing was changed.")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """`cluster check`."""
    target = target_of(args)
    progress = Progress(quiet=args.json)
    with target.routers() as routers:
        differences = _read(target, routers)
        fixed = check.fix(routers, target, differences, progress) if args.fix else ()
        left = _read(target, routers) if fixed else differences
    if args.json:
        print(json.dumps({"differences": [_row(d, target) for d in left], "fixed": [_row(d, target) for d in fixed]}))
    else:
        _show(left, len(fixed), target, progress)
    return 1 if left else 0


def _read(target: Target, routers: Any) -> tuple[Difference, ...]:
    return all_differences(read_found(routers, target.database), target.database, target.secrets.generation)


def _show(left: tuple[Difference, ...], fixed: int, target: Target, progress: Progress) -> None:
    for difference in left:
        progress.say(f"{difference.kind}: {difference.says}; fix: {difference.remedy(target.database)}")
    if left:
        progress.say(f"{len(left)} difference{'s' if len(left) > 1 else ''} left." if fixed else f"{len(left)} found.")
    else:
        progress.say("Everything is as declared.")


def _row(difference: Difference, target: Target) -> dict[str, Any]:
    """One difference for programs."""
    return {
        "kind": difference.kind,
        "subject": difference.subject,
        "says": difference.says,
        "safe": difference.is_safe,
        "remedy": difference.remedy(target.database),
    }

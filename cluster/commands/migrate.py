"""`migrate status|new|upgrade|downgrade`: numbered changes of the declaration and of data."""

import argparse
import json
from pathlib import Path

from ..collections import MIGRATIONS
from ..drift import collection_differences
from ..errors import ClusterError
from ..found import read_collections
from ..migrate.autogenerate import source
from ..migrate.files import MIGRATIONS_DIR, load_migrations, new_path
from ..migrate.history import Entry
from ..migrate.lock import LOCK_S
from ..migrate.run import Migrator
from ..operations import Operation
from ..progress import Progress
from ..target import add_target, target_of
from .base import Commands, add_command


def add(commands: Commands) -> None:
    """Adds the command with its four deeds."""
    example = 'scripts/cluster migrate new -m "Drop the index on title" --auto'
    root = add_command(commands, "migrate", run_status, "numbered changes: applied, pending, new", example)
    deeds = root.add_subparsers(dest="deed", required=True, metavar="DEED")
    status = add_command(deeds, "status", run_status, "show which are applied", "scripts/cluster migrate status")
    status.add_argument("--json", action="store_true", help="for programs")
    new = add_command(deeds, "new", run_new, "write a new one", example)
    new.add_argument("-m", "--message", required=True, metavar="TEXT", help="what it does, in a few words")
    new.add_argument("--auto", action="store_true", help="write down the drift that `check` sees")
    upgrade = add_command(
        deeds, "upgrade", run_upgrade, "apply the next N, or all", "scripts/cluster migrate upgrade 1"
    )
    upgrade.add_argument("count", type=_count, nargs="?", metavar="N", help="how many (default: all)")
    downgrade = add_command(
        deeds, "downgrade", run_downgrade, "revert the last N", "scripts/cluster migrate downgrade 1"
    )
    downgrade.add_argument("count", type=_count, nargs="?", default=1, metavar="N", help="how many (%(default)s)")
    for deed in (upgrade, downgrade):
        deed.add_argument(
            "--lock-s",
            type=float,
            default=LOCK_S,
            metavar="S",
            help="how long a command that was killed keeps others out, in seconds (%(default)g)",
        )
    for deed in (status, new, upgrade, downgrade):
        add_target(deed)
        deed.add_argument(
            "--migrations", type=Path, default=MIGRATIONS_DIR, metavar="DIR", help="where the files are (%(default)s)"
        )


def run_status(args: argparse.Namespace) -> int:
    """`cluster migrate status`."""
    target = target_of(args)
    with target.routers() as routers:
        entries = Migrator(routers, target.database, load_migrations(args.migrations), Progress()).entries()
    if args.json:
        rows = [{"name": e.name, "state": e.state, "at": e.at and e.at.isoformat(), "title": e.title} for e in entries]
        print(json.dumps(rows, indent=2))
        return 0
    for entry in entries:
        print(_line(entry))
    waiting = sum(not entry.is_applied for entry in entries)
    print(f"{waiting} to apply: run `scripts/cluster migrate upgrade`." if waiting else "Nothing to apply.")
    return 0


def run_new(args: argparse.Namespace) -> int:
    """`cluster migrate new`."""
    path = new_path(args.migrations, args.message)
    operations = _operations(args) if args.auto else ()
    path.write_text(source(args.message, operations))
    path.chmod(0o644)
    print(f"{path}: {len(operations)} operations." if args.auto else f"{path}: fill it in.")
    return 0


def run_upgrade(args: argparse.Namespace) -> int:
    """`cluster migrate upgrade`."""
    target, progress, files = target_of(args), Progress(), load_migrations(args.migrations)
    with target.routers() as routers:
        done = Migrator(routers, target.database, files, progress, args.lock_s).upgrade(args.count)
    progress.say(f"{len(done)} applied." if done else "Nothing to apply.")
    return 0


def run_downgrade(args: argparse.Namespace) -> int:
    """`cluster migrate downgrade`."""
    target, progress, files = target_of(args), Progress(), load_migrations(args.migrations)
    with target.routers() as routers:
        done = Migrator(routers, target.database, files, progress, args.lock_s).downgrade(args.count)
    progress.say(f"{len(done)} reverted." if done else "Nothing to revert.")
    return 0


def _operations(args: argparse.Namespace) -> tuple[Operation, ...]:
    """What mends every difference of collections; the notes of migrations are none of theirs."""
    target = target_of(args)
    with target.routers() as routers:
        differences = collection_differences(read_collections(routers, target.database))
    found = tuple(o for d in differences if d.subject != MIGRATIONS.name for o in d.operations)
    if not found:
        raise ClusterError(
            "Nothing differs from the declaration: change cluster/collections.py first, or leave --auto."
        )
    return found


def _line(entry: Entry) -> str:
    when = f"{entry.at:%Y-%m-%d %H:%M} UTC" if entry.at else ""
    remark = " (its file has changed since)" if entry.is_changed else "" if entry.is_known else " (its file is missing)"
    return f"{entry.name}  {entry.state}{remark}  {when}".rstrip()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("give a number from 1 on")
    return number

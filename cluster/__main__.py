"""The command line: `scripts/cluster CMD`, the same as `python -m cluster CMD`.

Exit 0 only on success. Errors are one sentence on stderr that says what to do.
"""

import argparse
import sys
from collections.abc import Sequence

from .cli import guarded
from .commands import declared, local, migrate, people, show, users


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and answers its exit code."""
    args = parser().parse_args(arguments)
    return guarded(lambda: int(args.run(args)))


def parser() -> argparse.ArgumentParser:
    """Every command with its options, its help and an example."""
    root = argparse.ArgumentParser(prog="scripts/cluster", description="Brings up, shows and stops a sharded cluster.")
    commands = root.add_subparsers(dest="command", required=True, metavar="CMD")
    for module in (local, declared, show, migrate, users, people):
        module.add(commands)
    return root


if __name__ == "__main__":
    sys.exit(main())

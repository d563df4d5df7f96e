"""What the commands share: options, and how they end."""

import argparse
import logging
import os
import sys
from collections.abc import Callable

from .errors import ClusterError
from .layout import PACKAGE_ROOT
from .topology import DEFAULT_ELECTION_TIMEOUT_MS, DEFAULT_MEMBERS, DEFAULT_ROUTERS, DEFAULT_SHARDS

DEFAULT_DATA = PACKAGE_ROOT / ".run" / "data"
# What shells report for a command that Ctrl-C has ended: 128 and the signal's number.
INTERRUPTED = 130
HIGHEST_PORT = 65_535
SHAPE = ("shards", "members", "routers", "election_timeout_ms")


def guarded(command: Callable[[], int]) -> int:
    """Runs a command and answers its exit code; errors become one sentence on stderr."""
    # Whatever a command writes holds data or secrets: for this user only.
    os.umask(0o077)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        return command()
    except ClusterError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: run the same command again to go on from here.\n")
        return INTERRUPTED


def port(text: str) -> int:
    """An option's value that is a port.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no port: give a number from 1 to {HIGHEST_PORT}")
    return int(text)


def add_shape(command: argparse.ArgumentParser) -> None:
    """The options that say how large a new cluster is. Absent ones stay out of the namespace."""
    for name, help_text, default in (
        ("shards", "number of shards", DEFAULT_SHARDS),
        ("members", "members of each replica set: 1, 3, 5 or 7", DEFAULT_MEMBERS),
        ("routers", "number of routers", DEFAULT_ROUTERS),
        ("election-timeout-ms", "silence after which a set elects a new primary", DEFAULT_ELECTION_TIMEOUT_MS),
    ):
        help_line = f"{help_text} (default: {default})"
        command.add_argument(f"--{name}", type=int, metavar="N", default=argparse.SUPPRESS, help=help_line)


def add_tls(command: argparse.ArgumentParser) -> None:
    """Whether the cluster speaks TLS; without either option it stays as it was."""
    command.add_argument(
        "--tls",
        action=argparse.BooleanOptionalAction,
        help="TLS between all nodes and clients, with certificates of its own (default: as it was, at first none)",
    )


def wishes(args: argparse.Namespace) -> dict[str, int]:
    """The options of `add_shape` that were given."""
    return {name: value for name, value in vars(args).items() if name in SHAPE}

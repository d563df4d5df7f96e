"""`first-admin`: who may log in to the API as its administrator."""

import argparse
import sys

from ..first_admin import make_first_admin
from ..target import add_target, target_of
from .base import Commands, add_command


def add(commands: Commands) -> None:
    """Adds the command."""
    command = add_command(
        commands,
        "first-admin",
        run,
        "make the API's first administrator; again changes nothing",
        "scripts/cluster first-admin --username grace --email grace@example.org",
    )
    add_target(command)
    command.add_argument("--username", default="admin", metavar="NAME", help="who it is (%(default)s)")
    command.add_argument("--email", metavar="ADDRESS", help="where letters go (NAME@example.org)")
    command.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input; else one is made and told"
    )


def run(args: argparse.Namespace) -> int:
    """`cluster first-admin`."""
    password = sys.stdin.readline().rstrip("\n") if args.password_stdin else None
    print(make_first_admin(target_of(args), args.username, args.email, password))
    return 0

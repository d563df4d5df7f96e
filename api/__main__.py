"""`python -m api`: serve, work off the outbox, make the first admin or sample data, list the settings."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from flask import Flask

from . import config, create_app, demo, worker
from .commands import CommandError, first_admin
from .db import check_cluster
from .errors import Problem

EPILOG = """\
examples:
  python -m api settings
  MONGODB_URI=mongodb://... JWT_KEYS=key-1:$(openssl rand -base64 48) python -m api serve
  FIRST_ADMIN_PASSWORD=... python -m api first-admin --username admin"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 only when it succeeded."""
    args = _parser().parse_args(arguments)
    commands: dict[str, Callable[[argparse.Namespace], None]] = {
        "serve": _serve,
        "worker": _worker,
        "first-admin": _first_admin,
        "demo": _demo,
        "settings": lambda _: print(config.as_markdown()),
    }
    try:
        commands[args.command](args)
    except (config.ConfigError, CommandError) as error:
        print(f"api: {error}", file=sys.stderr)
        return 1
    except Problem as problem:
        print(f"api: {problem.detail or problem.code}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m api", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", help="serve the API with gunicorn")
    commands.add_parser("worker", help="work off the outbox until SIGTERM")
    admin = commands.add_parser("first-admin", help="make an admin unless there is one of that name")
    admin.add_argument("--username", default=os.environ.get("FIRST_ADMIN_USERNAME", "admin"))
    admin.add_argument("--email", default=os.environ.get("FIRST_ADMIN_EMAIL"), help="default: USERNAME@example.org")
    admin.add_argument("--password-stdin", action="store_true", help="else FIRST_ADMIN_PASSWORD, else one is made")
    commands.add_parser("demo", help="make sample users, projects, tasks and events; again changes nothing")
    commands.add_parser("settings", help="print every setting as a Markdown table")
    return root


def _serve(_: argparse.Namespace) -> None:
    config.load(os.environ)
    conf = Path(__file__).with_name("gunicorn.conf.py")
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", str(conf), "api:create_app()"])


def _checked_app() -> Flask:
    """The application, after its cluster was found to be one."""
    check_cluster(config.load(os.environ))
    return create_app()


def _worker(_: argparse.Namespace) -> None:
    worker.run(_checked_app())


def _first_admin(args: argparse.Namespace) -> None:
    password = sys.stdin.readline().rstrip("\n") if args.password_stdin else os.environ.get("FIRST_ADMIN_PASSWORD")
    print(first_admin(_checked_app(), args.username, args.email or f"{args.username}@example.org", password or None))


def _demo(_: argparse.Namespace) -> None:
    made = demo.run(_checked_app())
    print(f"Made {made.users} users, {made.projects} projects, {made.tasks} tasks, {made.events} events.")


if __name__ == "__main__":
    sys.exit(main())

"""`users`, `secrets`: who may log in, with what."""

import argparse
import json
import os
from pathlib import Path

from .. import users
from ..errors import ClusterError
from ..observe import read_access
from ..progress import Progress
from ..roles import ACCOUNTS, roles
from ..secret_files import TlsWish, make_secrets
from ..target import DEFAULT_SECRETS, add_target, target_of
from .base import Commands, add_command

EXAMPLE_OF_SECRETS = "scripts/cluster secrets --dir secrets --tls --host db-1,10.0.0.11 --host db-2,10.0.0.12"
SERVICES = tuple(account.name.removeprefix("shardboard_") for account in ACCOUNTS)


def add(commands: Commands) -> None:
    """Adds both commands."""
    root = add_command(commands, "users", run_list, "database users", "scripts/cluster users rotate api")
    deeds = root.add_subparsers(dest="deed", required=True, metavar="DEED")
    listed = add_command(deeds, "list", run_list, "show who may log in", "scripts/cluster users list")
    listed.add_argument("--json", action="store_true", help="for programs")
    create = add_command(
        deeds,
        "create",
        run_create,
        "make a user for a person or a tool; its password lies under the secrets",
        "scripts/cluster users create grafana --role shardboard_monitor",
    )
    create.add_argument("name", metavar="NAME")
    create.add_argument("--role", required=True, choices=[*(role.name for role in roles("")), "root"])
    rotate = add_command(
        deeds,
        "rotate",
        run_rotate,
        "take a service to its other user, with a new password",
        "scripts/cluster users rotate api",
    )
    retire = add_command(
        deeds,
        "retire",
        run_retire,
        "drop a service's user that is not in use, after its processes have changed over",
        "scripts/cluster users retire api",
    )
    for deed in (rotate, retire):
        deed.add_argument("service", metavar="SERVICE", help=f"one of {', '.join(SERVICES)}")
    for deed in (listed, create, rotate, retire):
        add_target(deed)
    _add_secrets(commands)


def _add_secrets(commands: Commands) -> None:
    made = add_command(
        commands, "secrets", run_secrets, "make keyfile, passwords and certificates, once", EXAMPLE_OF_SECRETS
    )
    made.add_argument("--dir", type=Path, default=DEFAULT_SECRETS, metavar="DIR", help="where (%(default)s)")
    made.add_argument(
        "--owner", type=int, metavar="UID", help="who owns what nodes read: 999 in MongoDB's images; needs root"
    )
    made.add_argument("--tls", action="store_true", help="also a certificate authority, and certificates that it signs")
    made.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME,...",
        help="with --tls: a host with nodes, by every name and address that it is reached by; again for each host",
    )
    made.add_argument("--renew", action="store_true", help="with --tls: issue anew what would be good for a while")


def run_list(args: argparse.Namespace) -> int:
    """`cluster users list`."""
    target = target_of(args)
    with target.routers() as routers:
        found = read_access(routers, target.secrets, target.database).users
    if args.json:
        print(json.dumps([{"name": u.name, "roles": u.roles, "in_use": u.is_in_use} for u in found], indent=2))
        return 0
    for user in found:
        print(f"{user.name}  {', '.join(user.roles)}{'  in use' if user.is_in_use else ''}")
    return 0


def run_create(args: argparse.Namespace) -> int:
    """`cluster users create`."""
    target = target_of(args)
    with target.routers() as routers:
        made = users.create(routers, target, args.name, args.role)
    where = target.secrets.directory / f"{args.name}.password"
    print(f"{args.name} may log in; the password is in {where}." if made else f"{args.name} exists already.")
    return 0


def run_rotate(args: argparse.Namespace) -> int:
    """`cluster users rotate`."""
    target, account, progress = target_of(args), users.account_named(args.service), Progress()
    with target.routers() as routers:
        user = users.rotate(routers, target, account, progress)
    progress.say(f"{account.name} logs in as {user}.")
    if target.local is None:
        progress.say(
            "Both of its users work: restart its processes one by one, "
            f"then run `scripts/cluster users retire {args.service}`."
        )
    return 0


def run_retire(args: argparse.Namespace) -> int:
    """`cluster users retire`."""
    target, account, progress = target_of(args), users.account_named(args.service), Progress()
    with target.routers() as routers:
        user = users.retire(routers, target, account, progress)
    progress.say(f"{user} is gone.")
    return 0


def run_secrets(args: argparse.Namespace) -> int:
    """`cluster secrets`."""
    os.umask(0o077)
    if (args.host or args.renew) and not args.tls:
        raise ClusterError("--host and --renew are about certificates: give --tls as well.")
    hosts = tuple(tuple(host.split(",")) for host in args.host)
    for line in make_secrets(args.dir, args.owner, TlsWish(hosts, args.renew) if args.tls else None):
        print(line)
    return 0

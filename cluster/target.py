"""What a command works on: the local cluster of a data directory, the nodes of an inventory, or routers by a URI."""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError

from .cli import DEFAULT_DATA
from .connections import APP_NAME, CONNECT_TIMEOUT_MS, SELECTION_TIMEOUT_MS, Client, Connections, account_login, why
from .errors import ClusterError
from .inventory import DEFAULT_DATABASE, read_inventory
from .layout import PACKAGE_ROOT
from .local import LocalCluster
from .roles import ADMIN
from .secrets import Secrets
from .sets import AUTHENTICATION_FAILED
from .topology import Cluster

DEFAULT_SECRETS = PACKAGE_ROOT / "secrets"


@dataclass(frozen=True)
class Target:
    """A cluster, wherever it runs. `cluster` is None where only routers are known, by `uri`; `local` is a local one."""

    database: str
    secrets: Secrets
    cluster: Cluster | None = None
    uri: str | None = None
    local: LocalCluster | None = None

    @contextmanager
    def routers(self) -> Iterator[Client]:
        """A client of the routers that may do everything.

        Raises:
            ClusterError: no router answers, or it refuses the login.
        """
        with self._client() as client:
            try:
                hello = client.admin.command("hello")
                client.admin.command("connectionStatus")
            except OperationFailure as error:
                if error.code != AUTHENTICATION_FAILED:
                    raise ClusterError(f"The routers refused a first command: {why(error)}.") from error
                raise ClusterError(f"The routers refuse the login: {self._login_remedy()}.") from error
            except PyMongoError as error:
                raise ClusterError(f"No router answers ({why(error)}): start one, then try again.") from error
            if hello.get("msg") != "isdbgrid":
                raise ClusterError(f"What answers at {_address(client)} is no router: name the routers (mongos).")
            try:
                yield client
            except PyMongoError as error:
                raise ClusterError(f"The cluster refused ({why(error)}): see `scripts/cluster status`.") from error

    @contextmanager
    def _client(self) -> Iterator[Client]:
        if self.uri is not None:
            with _open(self.uri) as client:
                yield client
        else:
            assert self.cluster is not None  # noqa: S101
            with Connections(account_login(self.secrets, ADMIN)) as connections:
                yield connections.routers(self.cluster)

    def _login_remedy(self) -> str:
        if self.uri is not None:
            return "give an administrator's user and password in --uri"
        user = account_login(self.secrets, ADMIN).username
        return f"{self.secrets.directory} must hold the password that {user} has in this cluster, or run init first"


def add_target(command: argparse.ArgumentParser) -> None:
    """The options that say which cluster is meant."""
    command.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help="a local cluster (%(default)s)")
    command.add_argument(
        "--inventory", type=Path, metavar="FILE", help="a cluster elsewhere: a file that names its nodes"
    )
    command.add_argument(
        "--uri",
        metavar="URI",
        help="a cluster of which only the routers are known, as an administrator; @FILE reads it from a file, "
        "so that no password stands in a list of processes",
    )
    command.add_argument("--secrets", type=Path, metavar="DIR", help="where passwords are kept, with --uri (secrets)")


def target_of(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Target:
    """The cluster that the options of `add_target` name.

    Raises:
        ClusterError: there is none there, or the options contradict each other.
    """
    if args.inventory is not None and args.uri is not None:
        raise ClusterError("--inventory and --uri name two clusters: give one of them.")
    if args.inventory is not None:
        found = read_inventory(args.inventory)
        return Target(found.database, Secrets(args.secrets or found.secrets, found.cluster.tls), found.cluster)
    if args.uri is not None:
        database = environ.get("MONGODB_DB") or DEFAULT_DATABASE
        return Target(database, Secrets(args.secrets or DEFAULT_SECRETS), uri=_uri(args.uri))
    local = LocalCluster.open(args.data, environ)
    return Target(local.database, local.secrets, local.cluster, local=local)


def _uri(given: str) -> str:
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text().strip()
    except OSError as error:
        raise ClusterError(f"{given[1:]} cannot be read ({error.strerror}): name the file of the URI.") from error


def _open(uri: str) -> Client:
    try:
        return MongoClient(
            uri,
            connectTimeoutMS=CONNECT_TIMEOUT_MS,
            serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS,
            tz_aware=True,
            appname=APP_NAME,
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise ClusterError(f"--uri makes no sense ({error}): write mongodb://USER:PASSWORD@HOST:PORT/.") from error


def _address(client: Client) -> str:
    return ", ".join(f"{host}:{port}" for host, port in client.nodes)

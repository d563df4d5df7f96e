"""The clients of one command: to a member, to a set, to the routers. Closed together."""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from .roles import Account
from .secrets import Secrets, Tls
from .tls_errors import tls_refusal
from .topology import Cluster, Member, ReplicaSet, Router

Client = MongoClient[dict[str, Any]]

APP_NAME = "shardboard-cluster"
CONNECT_TIMEOUT_MS = 2_000
SELECTION_TIMEOUT_MS = 5_000
# The slowest commands of a bring-up are addShard and shardCollection on a machine that is busy starting things.
SOCKET_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Login:
    """A user name with its password and the database that keeps it; a certificate where the cluster speaks TLS."""

    username: str
    password: str
    source: str = "admin"
    tls: Tls | None = None

    def options(self) -> dict[str, Any]:
        return {
            "username": self.username,
            "password": self.password,
            "authSource": self.source,
            "authMechanism": "SCRAM-SHA-256",
            **self.tls_options(),
        }

    def tls_options(self) -> dict[str, Any]:
        """What every client needs, logged in or not; empty without TLS."""
        if self.tls is None:
            return {}
        return {
            "tls": True,
            "tlsCAFile": str(self.tls.authority),
            "tlsCertificateKeyFile": str(self.tls.certificate),
        }


def system_login(secrets: Secrets) -> Login:
    """The members' own identity, which holds every privilege before the first user exists."""
    return Login("__system", secrets.system_password, "local", secrets.client_tls)


def account_login(secrets: Secrets, account: Account) -> Login:
    """The account's user of the generation that is in use."""
    user = account.user(secrets.generation(account.name))
    return Login(user, secrets.password(user), tls=secrets.client_tls)


def uri(addresses: str, login: Login, database: str = "") -> str:
    """A connection string, e.g. `mongodb://shardboard_api:...@127.0.0.1:27017,127.0.0.1:27018/shardboard?authSource=admin`."""
    user, password = quote(login.username, safe=""), quote(login.password, safe="")
    options = {"authSource": login.source, "authMechanism": "SCRAM-SHA-256", **login.tls_options()}
    # `tls=true`: a connection string has JSON's word.
    text = urlencode({name: "true" if value is True else value for name, value in options.items()}, quote_via=quote)
    return f"mongodb://{user}:{password}@{addresses}/{database}?{text}"


def why(error: PyMongoError) -> str:
    """The driver's message without its settings and the picture of the topology that it draws."""
    text = re.split(r", full error| \(configured timeouts|, Timeout: ", str(error))[0]
    return tls_refusal(text) or text


class Connections:
    """Opens each client once, as one user; a context manager that closes them all."""

    def __init__(
        self,
        login: Login,
        selection_timeout_ms: int = SELECTION_TIMEOUT_MS,
        socket_timeout_ms: int = SOCKET_TIMEOUT_MS,
    ) -> None:
        self._login = login
        self._selection_timeout_ms = selection_timeout_ms
        self._socket_timeout_ms = socket_timeout_ms
        self._clients: dict[str, Client] = {}
        self._lock = Lock()
        self._open = ExitStack()

    def __enter__(self) -> "Connections":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def member(self, node: Member | Router) -> Client:
        """A client of this process alone, whatever its state."""
        return self._client(node.address, directConnection=True)

    def anonymous(self, node: Member | Router, selection_timeout_ms: int) -> Client:
        """A client of this process alone that does not log in; the caller closes it."""
        return MongoClient(
            node.host,
            node.port,
            directConnection=True,
            serverSelectionTimeoutMS=selection_timeout_ms,
            **self._login.tls_options(),
        )

    def primary(self, replica_set: ReplicaSet) -> Client:
        """A client of the set's primary, whichever member that is."""
        addresses = ",".join(member.address for member in replica_set.members)
        return self._client(addresses, replicaSet=replica_set.name)

    def routers(self, cluster: Cluster) -> Client:
        """A client of the cluster, through any of its routers."""
        return self._client(cluster.routers_address)

    def _client(self, addresses: str, **options: Any) -> Client:
        with self._lock:
            if addresses not in self._clients:
                client: Client = MongoClient(
                    f"mongodb://{addresses}/",
                    connectTimeoutMS=CONNECT_TIMEOUT_MS,
                    serverSelectionTimeoutMS=self._selection_timeout_ms,
                    socketTimeoutMS=self._socket_timeout_ms,
                    tz_aware=True,
                    appname=APP_NAME,
                    **self._login.options(),
                    **options,
                )
                self._open.callback(client.close)
                self._clients[addresses] = client
            return self._clients[addresses]

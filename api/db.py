"""The one connection of a process: made after the fork, majority reads and writes, a deadline for every operation.

Flask-PyMongo makes the client. It connects on first use, never before, so each worker process has its own.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import pymongo
from flask import Flask
from flask_pymongo import PyMongo
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from cluster.tls_errors import tls_refusal

from .config import ConfigError, Settings
from .metrics import Metrics, driver
from .watch import WriteWatch

Document = dict[str, Any]
T = TypeVar("T")

MAJORITY = WriteConcern("majority")

# Longer than a router takes to start, shorter than a client's patience.
SERVER_SELECTION_MS = 5_000
CONNECT_MS = 2_000
# A request that waits longer for a connection is one too many: refuse it while it is cheap.
WAIT_QUEUE_MS = 500

# Of those who follow changes: the stream, the check of their sessions, two who catch up, two who look something up.
CHANGES_CONNECTIONS = 6

# The session that the queries of this thread run in: a transaction's, that of a consistency token, or none.
SESSION: ContextVar[ClientSession | None] = ContextVar("SESSION", default=None)


def client_options(settings: Settings) -> dict[str, Any]:
    """The options of every client, whatever the URI says."""
    return {
        "appname": "shardboard-api",
        "connect": False,
        "tz_aware": True,
        "w": "majority",
        "readConcernLevel": "majority",
        "readPreference": "primary",
        "retryReads": True,
        "retryWrites": True,
        "serverSelectionTimeoutMS": SERVER_SELECTION_MS,
        "connectTimeoutMS": CONNECT_MS,
        "waitQueueTimeoutMS": WAIT_QUEUE_MS,
        "timeoutMS": settings.deadline_write_ms,
        "maxPoolSize": settings.threads + 2 + CHANGES_CONNECTIONS,
        "minPoolSize": settings.threads,
    }


class Connection:
    """The client of this process and its collections.

    Attributes:
        client: Flask-PyMongo's `MongoClient`; it opens no socket before its first command.
        database: the product's database.
    """

    def __init__(self, app: Flask, settings: Settings, metrics: Metrics) -> None:
        json_provider = app.json
        listeners = [WriteWatch(), *driver.listeners(metrics)]
        mongo = PyMongo(app, settings.mongodb_uri, event_listeners=listeners, **client_options(settings))
        # Flask-PyMongo's provider turns {"$oid": ...} of a request's body into BSON types: not for strangers' input.
        app.json = json_provider
        self.client: MongoClient[Document] = mongo.cx  # type: ignore[assignment]
        self.database = pymongo.database.Database(self.client, settings.mongodb_db)
        self._collections: dict[str, Collection[Document]] = {}

    def collection(self, name: str) -> Collection[Document]:
        """The collection `name` of the product's database."""
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = self.database[name]
        return found

    def ping(self) -> None:
        """Ask a router whether it is there.

        Raises:
            PyMongoError: none answered in time.
        """
        self.client.admin.command("ping", read_preference=ReadPreference.NEAREST)

    def in_transaction(self, work: Callable[[], T]) -> T:
        """Run `work` in one transaction, again from its start when the server asks for that, until the deadline.

        Every query that `work` calls takes part, and so does a transaction within it. `work` may run several times: it
        must have no other effect.
        """
        outer = SESSION.get()
        if outer is not None and outer.in_transaction:
            return work()
        with self.client.start_session() as session:
            if outer is not None and outer.operation_time is not None:
                session.advance_cluster_time(outer.cluster_time or {})
                session.advance_operation_time(outer.operation_time)
            token = SESSION.set(session)
            try:
                return session.with_transaction(lambda _: work(), ReadConcern("majority"), MAJORITY)
            finally:
                SESSION.reset(token)

    def close(self) -> None:
        """Give back every socket."""
        self.client.close()


def deadline(milliseconds: int) -> Any:
    """A context in which all operations together may take `milliseconds`; retries happen within it."""
    return pymongo.timeout(milliseconds / 1000)


def check_cluster(settings: Settings) -> None:
    """Refuse to start against anything but routers; opens a short-lived client and closes it.

    Raises:
        ConfigError: nothing answers, the login fails, it is no router, or it is the stand-in in production.
    """
    # No pool is filled beside it: its thread would print a traceback for a refused login.
    options = client_options(settings) | {"minPoolSize": 0}
    with MongoClient[Document](settings.mongodb_uri, **options) as client:
        try:
            hello = client.admin.command("hello")
            client[settings.mongodb_db].command("ping")
        except OperationFailure as error:
            raise ConfigError(f"MONGODB_URI: the router refused the login (code {error.code}).") from None
        except PyMongoError as error:
            reason = tls_refusal(str(error)) or f"no router answered within {SERVER_SELECTION_MS // 1000} s"
            raise ConfigError(f"MONGODB_URI: {reason}.") from error
        known = client.topology_description.server_descriptions()
    problem = problem_of(hello, settings.environment) or _strangers(settings.mongodb_uri, known)
    if problem:
        raise ConfigError(problem)


def problem_of(hello: Document, environment: str) -> str | None:
    """Why a server that answers `hello` so cannot serve; None when it can."""
    if hello.get("msg") != "isdbgrid":
        what = f"a member of replica set {hello['setName']}" if "setName" in hello else "a standalone mongod"
        return f"MONGODB_URI leads to {what}, not to a router: it must name routers (mongos) of a sharded cluster."
    if hello.get("shardboardStandIn") and environment == "production":
        return "MONGODB_URI leads to Shardboard's stand-in router, which ENVIRONMENT=production refuses: use mongos."
    return None


def _strangers(uri: str, known: Any) -> str | None:
    """The driver drops what is no router from a cluster's servers: a dropped host in the URI is a mistake in it."""
    if uri.startswith("mongodb+srv://"):
        return None
    dropped = [f"{host}:{port}" for host, port in parse_uri(uri)["nodelist"] if (host, port) not in known]
    return f"MONGODB_URI names {', '.join(dropped)}, which is no router." if dropped else None

"""Who a client is, and what it may do.

A login is passed through to a config server, which checks it; its user's privileges are read from there. Calls to
members run as `__system`, so every command is held against those privileges before anything is forwarded.
https://www.mongodb.com/docs/manual/reference/privilege-actions/
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import wire
from .errors import CommandError
from .members import Connection
from .shards import Grid, Retry

log = logging.getLogger(__name__)

LOGIN_LIMIT_S = 10.0
CLUSTER = "cluster"
# Every collection of every database: a privilege on one database is not enough.
EVERYTHING = ("", "")


@dataclass(frozen=True)
class Need:
    """One action on one resource: `CLUSTER`, or `(db, collection)`; an empty collection means the whole database."""

    action: str
    resource: str | tuple[str, str]


class Privileges:
    """What one user may do, from `usersInfo` with `showPrivileges`."""

    def __init__(self, granted: Iterable[Mapping[str, Any]]) -> None:
        self._granted = [(_plain(entry["resource"]), frozenset(entry["actions"])) for entry in granted]

    def allows(self, need: Need) -> bool:
        return any(need.action in actions and _covers(resource, need.resource) for resource, actions in self._granted)

    def touches(self, db: str) -> bool:
        """Whether anything at all is granted on a database."""
        return any("anyResource" in resource or resource.get("db") in ("", db) for resource, _ in self._granted)

    def names(self, db: str, collection: str) -> bool:
        """Whether anything at all is granted on a collection: who may do something with it may know its name."""
        return any(_covers(resource, (db, collection)) for resource, _ in self._granted)


def _plain(resource: Mapping[str, Any]) -> dict[str, Any]:
    return dict(resource.items())


def _covers(granted: Mapping[str, Any], wanted: str | tuple[str, str]) -> bool:
    if "anyResource" in granted:
        return True
    if isinstance(wanted, str):
        return wanted in granted
    if "db" not in granted or granted["db"] not in ("", wanted[0]):
        return False
    collection = granted["collection"]
    return collection == wanted[1] or (collection == "" and not wanted[1].startswith("system."))


class PrivilegeCache:
    """Privileges by user, read once and then kept up to date by `refresh`, so that no command waits. Thread-safe."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Privileges] = {}

    def of(self, user: tuple[str, str]) -> Privileges:
        """The privileges of `(name, db)`; none for a user that is gone."""
        found = self._known.get(user)
        if found is None:
            found = self._read(user)
            with self._lock:
                self._known[user] = found
        return found

    def refresh(self) -> None:
        """Read the privileges of every known user anew. Raises: CommandError, MemberError; the known ones stay."""
        for user in list(self._known):
            fresh = self._read(user)
            with self._lock:
                self._known[user] = fresh

    def _read(self, user: tuple[str, str]) -> Privileges:
        reply = self._grid.config_call(
            {"usersInfo": {"user": user[0], "db": user[1]}, "showPrivileges": True, "$db": "admin"},
            time.monotonic() + LOGIN_LIMIT_S,
            Retry.IDEMPOTENT,
        )
        users = reply["users"]
        return Privileges(users[0]["inheritedPrivileges"]) if users else Privileges(())

    def forget(self) -> None:
        with self._lock:
            self._known.clear()


class Login:
    """The login of one client connection, and the conversation that leads to it."""

    def __init__(self, grid: Grid, cache: PrivilegeCache) -> None:
        self._grid, self._cache = grid, cache
        self._conversation: Connection | None = None
        self.user: tuple[str, str] | None = None

    @property
    def identity(self) -> str:
        """`name@db`, empty before login."""
        return "@".join(self.user) if self.user else ""

    def converse(self, body: dict[str, Any]) -> dict[str, Any]:
        """Pass `saslStart` or `saslContinue` on; the config server decides.

        Raises: CommandError.
        """
        if body["$db"] == "local":
            raise CommandError("IllegalOperation", "Can't use 'local' database through mongos")
        if next(iter(body)) == "saslStart":
            self.end_conversation()
            self._conversation = self._connect()
        elif self._conversation is None:
            raise CommandError("ProtocolError", "No SASL session state found")
        sent = {name: value for name, value in body.items() if name not in ("$clusterTime", "lsid", "$readPreference")}
        try:
            assert self._conversation is not None  # noqa: S101
            reply = self._conversation.call(sent, LOGIN_LIMIT_S)
            if reply.get("ok") and reply.get("done"):
                self._finish()
            elif not reply.get("ok"):
                self.end_conversation()
        except (wire.ConnectionLost, TimeoutError) as error:
            self.end_conversation()
            raise CommandError("HostUnreachable", f"the config server went away during the login: {error}") from error
        return {name: reply[name] for name in reply if name not in ("$clusterTime", "operationTime")}

    def _connect(self) -> Connection:
        problem: Exception | None = None
        for address in self._grid.config.members or self._grid.config.seeds:
            try:
                return self._grid.connection(address, key="")
            except wire.ConnectionLost as error:
                problem = error
        raise CommandError("HostUnreachable", f"no config server can check a login: {problem}")

    def _finish(self) -> None:
        assert self._conversation is not None  # noqa: S101
        status = self._conversation.call({"connectionStatus": 1, "$db": "admin"}, LOGIN_LIMIT_S)
        self.end_conversation()
        user = status["authInfo"]["authenticatedUsers"][0]
        self.user = (user["user"], user["db"])

    def end_conversation(self) -> None:
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None

    def log_out(self) -> None:
        self.user = None

    def may(self, need: Need) -> bool:
        return self.user is not None and self._cache.of(self.user).allows(need)

    def privileges(self) -> Privileges:
        return self._cache.of(self.user) if self.user else Privileges(())

    def require(self, command: str, db: str, needs: Iterable[Need]) -> None:
        """Raises: CommandError Unauthorized, in the words of a mongos."""
        if self.user is None:
            raise CommandError("Unauthorized", f"command {command} requires authentication")
        for need in needs:
            if not self.may(need):
                raise CommandError("Unauthorized", f"not authorized on {db} to execute command {command}: needs the "
                                   f"action {need.action} on {need.resource}")  # fmt: skip

    def forget_privileges(self) -> None:
        self._cache.forget()

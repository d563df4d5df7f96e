"""Connections to members, and replica sets that know their primary.

Who is primary comes from pymongo's own server monitoring (streamed `hello`), which needs no login. Commands do not go
through pymongo: it would put its own session, cluster time and retries into what is only passed on.
"""

import itertools
import logging
import socket
import threading
import time
from typing import Any

from pymongo import MongoClient, monitoring

from . import scram, wire
from .errors import CommandError
from .tls import Tls

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 2.0
IDLE_CONNECTIONS_PER_MEMBER = 64
# As mongos: how long a command may wait for a set to have a primary.
PRIMARY_WAIT_S = 20.0
# A member that has just failed is believed to be primary again only after this; how often the monitor is looked at.
DOUBT_S, POLL_S = 0.2, 0.01
# A member that answers later than its own time limit by this much is taken for frozen.
REPLY_SLACK_S = 1.0


class NotSent(wire.ConnectionLost):
    """No connection could be made: the command was certainly not done."""


class Connection:
    """A logged-in socket to one member. Not thread-safe: the pool lends it to one command at a time."""

    _ids = itertools.count(1)

    def __init__(self, address: str, key: str, tls: Tls | None = None) -> None:
        host, _, port = address.rpartition(":")
        try:
            self.sock = socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self.sock = tls.to_member(self.sock, host)
        except OSError as error:
            raise NotSent(f"{address}: {error}") from error
        self.address = address
        try:
            if key:
                scram.log_in_as_system(lambda body: self.call(body, CONNECT_TIMEOUT_S * 2), key)
        except (wire.ConnectionLost, TimeoutError, scram.LoginFailed) as error:
            self.close()
            raise NotSent(f"{address}: {error}") from error

    def call(self, body: dict[str, Any], timeout_s: float | None) -> dict[str, Any]:
        """Send a command and wait for its reply.

        Raises: ConnectionLost (the command may have been done), TimeoutError after `timeout_s` (likewise).
        """
        try:
            self.sock.settimeout(timeout_s)
            self.sock.sendall(wire.encode_command(body, next(self._ids)))
        except TimeoutError:
            raise
        except OSError as error:
            raise wire.ConnectionLost(f"{self.address}: {error}") from error
        return wire.read_reply(self.sock)

    def close(self) -> None:
        self.sock.close()


class Pool:
    """Connections to one member. `interrupt` ends those in use too: a frozen member never would."""

    def __init__(self, address: str, key: str, tls: Tls | None = None) -> None:
        self.address, self._key, self._tls = address, key, tls
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._created = 0
        self._busy: set[Connection] = set()

    def call(self, body: dict[str, Any], timeout_s: float | None) -> dict[str, Any]:
        """As `Connection.call`, on a connection of its own."""
        connection = self._borrow()
        try:
            reply = connection.call(body, timeout_s)
        except BaseException:
            with self._lock:
                self._busy.discard(connection)
            connection.close()
            raise
        self._give_back(connection)
        return reply

    def _borrow(self) -> Connection:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
            if connection is not None:
                self._busy.add(connection)
                return connection
        connection = Connection(self.address, self._key, self._tls)
        with self._lock:
            self._created += 1
            self._busy.add(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            keep = connection in self._busy and len(self._idle) < IDLE_CONNECTIONS_PER_MEMBER
            self._busy.discard(connection)
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    def interrupt(self) -> None:
        """Close every connection; commands that wait on one fail at once with ConnectionLost."""
        with self._lock:
            doomed = [*self._idle, *self._busy]
            self._idle.clear()
            self._busy.clear()
        for connection in doomed:
            try:
                # Not SSLSocket's own: it would have the command under way go on in plain text.
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
            except OSError:
                connection.close()

    def counts(self) -> dict[str, int]:
        with self._lock:
            return {"inUse": len(self._busy), "available": len(self._idle), "created": self._created}


class ReplicaSet:
    """A set as `<name>/<host:port>,...`, the pools of its members and its primary, kept up to date."""

    def __init__(self, connection_string: str, key: str, tls: Tls | None = None) -> None:
        self.name, _, hosts = connection_string.partition("/")
        self.seeds = hosts.split(",")
        self._key, self._tls = key, tls
        self._lock = threading.Lock()
        self._pools: dict[str, Pool] = {}
        self._seen: tuple[Any, str | None] = (None, None)
        self._monitor: MongoClient[Any] = MongoClient(
            self.seeds,
            replicaSet=self.name,
            connectTimeoutMS=int(CONNECT_TIMEOUT_S * 1000),
            heartbeatFrequencyMS=1000,
            event_listeners=[_Watcher(self)],
            **(tls.driver_options() if tls else {}),
        )

    @property
    def primary(self) -> str | None:
        """The primary's address, as the monitor knows it now; its events come up to a second later."""
        topology = self._monitor.topology_description
        if topology is not self._seen[0]:
            primary = _primary_of(topology)
            if primary != self._seen[1]:
                log.info("set %s: primary is now %s", self.name, primary or "unknown")
            self._seen = (topology, primary)
        return self._seen[1]

    @property
    def members(self) -> list[str]:
        """Addresses of the members that answer, e.g. `["127.0.0.1:27018"]`, the primary first."""
        servers = self._monitor.topology_description.server_descriptions().values()
        known = [server for server in servers if server.server_type_name in ("RSPrimary", "RSSecondary")]
        known.sort(key=lambda server: server.server_type_name)
        return [_address(server.address) for server in known]

    def pool(self, address: str) -> Pool:
        pool = self._pools.get(address)
        if pool is None:
            with self._lock:
                pool = self._pools.setdefault(address, Pool(address, self._key, self._tls))
        return pool

    def pools(self) -> dict[str, Pool]:
        with self._lock:
            return dict(self._pools)

    def wait_primary(self, deadline: float, other_than: str | None = None) -> str:
        """The primary's address; waits until `deadline` (monotonic seconds) for one.

        `other_than` is one that has just failed or said that it is primary no longer: the monitor may not know yet,
        so it is taken again only after a moment.

        Raises: CommandError FailedToSatisfyReadPreference.
        """
        started = time.monotonic()
        deadline = min(deadline, started + PRIMARY_WAIT_S)
        while True:
            primary, now = self.primary, time.monotonic()
            if primary is not None and (primary != other_than or now >= started + DOUBT_S):
                return primary
            if now >= deadline:
                raise CommandError(
                    "FailedToSatisfyReadPreference",
                    f'Could not find host matching read preference {{ mode: "primary" }} for set {self.name}',
                )
            time.sleep(POLL_S)

    def interrupt(self, addresses: list[str]) -> None:
        """Let go of who waits for an answer from members that cannot be reached."""
        pools = self.pools()
        for address in addresses:
            if address in pools:
                pools[address].interrupt()

    def close(self) -> None:
        self._monitor.close()
        self.interrupt(list(self.pools()))


def _address(pair: Any) -> str:
    return f"{pair[0]}:{pair[1]}"


def _primary_of(topology: Any) -> str | None:
    for pair, server in topology.server_descriptions().items():
        if server.server_type_name == "RSPrimary":
            return _address(pair)
    return None


class _Watcher(monitoring.TopologyListener):
    """Tells a ReplicaSet which members its monitor can no longer reach."""

    def __init__(self, owner: ReplicaSet) -> None:
        self._owner = owner

    def opened(self, event: Any) -> None: ...

    def closed(self, event: Any) -> None: ...

    def description_changed(self, event: monitoring.TopologyDescriptionChangedEvent) -> None:
        was = event.previous_description.server_descriptions()
        now = event.new_description.server_descriptions()
        self._owner.interrupt([
            _address(pair) for pair, server in now.items()
            if server.server_type_name == "Unknown" and pair in was and was[pair].server_type_name != "Unknown"
        ])  # fmt: skip

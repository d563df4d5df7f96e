"""Client connections: one thread each, a limit on their number, and a stop that lets commands finish."""

import itertools
import logging
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from bson.errors import InvalidBSON

from . import commands, wire
from .access import Login
from .errors import RETRYABLE, CommandError, code_of
from .operation import Operation, Router
from .shards import MemberError

log = logging.getLogger(__name__)

# A client that does not read its answer for so long is let go.
SEND_TIMEOUT_S = 60.0
# As long may a client take for its part of a TLS handshake.
HANDSHAKE_TIMEOUT_S = 10.0
DRAIN_LIMIT_S = 10.0
RETRYABLE_WRITES = {"insert", "update", "delete", "findAndModify", "findandmodify", "commitTransaction",
                    "abortTransaction"}  # fmt: skip


class Connections:
    """The open client connections, counted and bounded."""

    def __init__(self, limit: int) -> None:
        self.limit, self.total = limit, 0
        self._lock = threading.Lock()
        self._open: set[ClientConnection] = set()

    @property
    def current(self) -> int:
        return len(self._open)

    @property
    def available(self) -> int:
        return self.limit - len(self._open)

    def add(self, connection: "ClientConnection") -> bool:
        """False when the limit is reached."""
        with self._lock:
            if len(self._open) >= self.limit:
                return False
            self.total += 1
            self._open.add(connection)
            return True

    def remove(self, connection: "ClientConnection") -> None:
        with self._lock:
            self._open.discard(connection)

    def snapshot(self) -> list["ClientConnection"]:
        with self._lock:
            return list(self._open)


class ClientConnection:
    """One client: reads a command, answers it, until either side has had enough."""

    _ids = itertools.count(1)

    def __init__(self, sock: socket.socket, address: Any, router: Router) -> None:
        self.sock, self.router = sock, router
        self.id = next(self._ids)
        self.address = f"{address[0]}:{address[1]}"
        self.login = Login(router.grid, router.privileges)
        self.is_busy = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def serve(self) -> None:
        """Until the client leaves, sends what is no message, or the router stops."""
        try:
            self._shake_hands()
            while not self.router.stopping.is_set():
                message = wire.read_message(self.sock)
                self.is_busy = True
                self._answer(message)
                self.is_busy = False
        except wire.ProtocolError as error:
            log.info("connection %d from %s ends: %s", self.id, self.address, error)
        except (wire.ConnectionLost, OSError):
            pass  # the client has gone; what it started goes on and ends on its shard
        finally:
            self.is_busy = False
            self.login.end_conversation()
            self.sock.close()

    def _shake_hands(self) -> None:
        """Raises: OSError when a client speaks no TLS, or shows no certificate of the authority."""
        tls = self.router.grid.tls
        if tls is None:
            return
        self.sock.settimeout(HANDSHAKE_TIMEOUT_S)
        try:
            self.sock = tls.to_client(self.sock)
        except OSError as error:
            log.info("connection %d from %s is refused: %s", self.id, self.address, error)
            raise
        self.sock.settimeout(None)

    def _answer(self, message: wire.Message) -> None:
        counts = self.router.counts
        counts[message.name] += 1
        counts["bytes in"] += message.size
        reply = self._run(message)
        if not message.wants_reply:
            return
        if reply is None:
            raise wire.ConnectionLost("closed by a fail point")
        data = wire.encode_reply(dict(reply), message, next(self._ids))
        counts["bytes out"] += len(data)
        self.sock.settimeout(SEND_TIMEOUT_S)
        self.sock.sendall(data)
        self.sock.settimeout(None)

    def _run(self, message: wire.Message) -> Mapping[str, Any] | None:
        body = message.body
        try:
            self._check_shape(body)
            op = Operation(self.router, body, self.login, client=self)
            self._take_session(op)
            planned = _failing(self.router, op.name)
            if planned is not None:
                return None if planned.get("closeConnection") else _planned_error(planned)
            reply: Mapping[str, Any] = commands.run(op)
        except CommandError as error:
            reply = _labelled(body, error.reply())
        except MemberError as error:
            reply = _labelled(body, dict(error.reply))
        except wire.ConnectionLost as error:
            reply = _labelled(body, CommandError("HostUnreachable", str(error)).reply())
        except InvalidBSON as error:
            reply = CommandError("InvalidBSON", str(error)).reply()
        except Exception:
            log.exception("command %s failed", message.name)
            reply = CommandError("InternalError", "the stand-in router failed; its log says how").reply()
        return self._timed(reply)

    @staticmethod
    def _check_shape(body: Mapping[str, Any]) -> None:
        if not isinstance(body.get("$db"), str) or not body["$db"]:
            raise CommandError("FailedToParse", "OP_MSG requests require a $db argument")

    def _take_session(self, op: Operation) -> None:
        seen = op.body.get("$clusterTime")
        if seen is not None and self.login.user is not None:
            self.router.grid.clock.advance_from_client(seen)
        lsid = op.body.get("lsid")
        if isinstance(lsid, Mapping) and isinstance(lsid.get("id"), bytes):
            op.lsid = {"id": lsid["id"], "uid": op.session_uid}

    def _timed(self, reply: Mapping[str, Any]) -> dict[str, Any]:
        """Every answer carries the cluster's time, as drivers need for causal consistency."""
        reply = dict(reply)
        clock = self.router.grid.clock
        if clock.now is not None:
            reply.setdefault("operationTime", clock.now)
        if clock.can_sign:
            reply["$clusterTime"] = clock.signed()
        return reply

    def stop(self) -> None:
        """Wake a connection that waits for its client."""
        try:
            # Not SSLSocket's own: it would have the answer that is due go out in plain text.
            socket.socket.shutdown(self.sock, socket.SHUT_RD)
        except OSError:
            return


def _labelled(body: Mapping[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    """Tell the driver that it may repeat a retryable write whose shard went away."""
    is_retryable = next(iter(body), "") in RETRYABLE_WRITES and "txnNumber" in body
    in_transaction = body.get("autocommit") is False and next(iter(body)) != "commitTransaction"
    if is_retryable and not in_transaction and code_of(reply) in RETRYABLE | {133}:
        reply["errorLabels"] = sorted({*reply.get("errorLabels", ()), "RetryableWriteError"})
    return reply


def _failing(router: Router, name: str) -> dict[str, Any] | None:
    """The fail point's data, if it is set for this command; blocks first if it says so."""
    point = router.fail_points.get("failCommand")
    if point is None or name == "configureFailPoint" or name not in list(point.get("failCommands") or ()):
        return None
    if point["left"] is not None:
        point["left"] -= 1
        if point["left"] <= 0:
            router.fail_points.pop("failCommand", None)
    if point.get("blockConnection"):
        router.stopping.wait(float(point.get("blockTimeMS", 0)) / 1000)
        if "errorCode" not in point and not point.get("closeConnection"):
            return None
    return point


def _planned_error(point: dict[str, Any]) -> dict[str, Any]:
    code = int(point.get("errorCode", 8))
    reply = {
        "ok": 0.0,
        "code": code,
        "codeName": "UnknownError",
        "errmsg": "Failing command via 'failCommand' failpoint",
    }
    if "errorLabels" in point:
        reply["errorLabels"] = list(point["errorLabels"])
    return reply


class Server:
    """Listens, and gives every connection a thread."""

    def __init__(self, router: Router, hosts: list[str], port: int) -> None:
        self.router = router
        self._listeners = [socket.create_server((host, port), backlog=512, reuse_port=False) for host in hosts]

    def serve(self) -> None:
        """Accept until `stop`; returns when the commands under way have been answered."""
        threads = [threading.Thread(target=self._accept, args=(listener,), daemon=True) for listener in self._listeners]
        for thread in threads:
            thread.start()
        self.router.stopping.wait()
        for listener in self._listeners:
            listener.close()
        self._drain()

    def _accept(self, listener: socket.socket) -> None:
        while not self.router.stopping.is_set():
            try:
                sock, address = listener.accept()
            except OSError:
                return
            connection = ClientConnection(sock, address, self.router)
            if not self.router.connections.add(connection):
                log.warning(
                    "connection from %s refused: %d are open", connection.address, self.router.connections.limit
                )
                sock.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: ClientConnection) -> None:
        try:
            connection.serve()
        finally:
            self.router.connections.remove(connection)

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_LIMIT_S
        for connection in self.router.connections.snapshot():
            connection.stop()
        while any(c.is_busy for c in self.router.connections.snapshot()) and time.monotonic() < deadline:
            threading.Event().wait(0.02)

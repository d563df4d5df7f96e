"""What must not bring a router down, nor be noticed by others: bad bytes, crowds, slow and vanishing clients.

Each test gets a stand-in of its own beside the cluster's routers; a real mongos is not ours to test.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import bson
import psutil
import pytest
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError
from scratch import sharded
from support import free_port

from cluster.local import LocalCluster
from cluster.roles import ADMIN
from cluster.router import wire
from cluster.wait import NotReady, wait_until

START_LIMIT_S = 30
STOP_LIMIT_S = 20
MAX_CONNECTIONS = 260
CROWD = 200


@dataclass
class SpareRouter:
    """A stand-in of this test's own."""

    process: subprocess.Popen[bytes]
    port: int
    cluster: LocalCluster

    def client(self, **options: Any) -> MongoClient[Any]:
        login = self.cluster.login(ADMIN)
        return MongoClient("127.0.0.1", self.port, username=login.username, password=login.password, **options)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    @property
    def resident_mib(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 2**20


@pytest.fixture
def router(cluster: LocalCluster) -> Iterator[SpareRouter]:
    """Started, listening, and stopped afterwards; it must have survived the test."""
    if not cluster.mongos.is_stand_in:
        pytest.skip(f"the routers are a real {cluster.router_kind}")
    port = free_port()
    command = [
        sys.executable, "-m", "cluster.router", "--configdb", cluster.cluster.config_set.seed, "--port", str(port),
        "--keyFile", str(cluster.secrets.keyfile), "--maxConns", str(MAX_CONNECTIONS),
        "--setParameter", "enableTestCommands=1",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    spare = SpareRouter(process, port, cluster)
    try:
        wait_until("the spare router to listen", lambda: listening(spare), START_LIMIT_S)
        yield spare
    finally:
        process.terminate()
        process.wait(STOP_LIMIT_S)


def listening(router: SpareRouter) -> None:
    try:
        router.connect().close()
    except OSError as error:
        raise NotReady(str(error)) from error


def still_serves(router: SpareRouter) -> bool:
    with router.client(serverSelectionTimeoutMS=5000) as client:
        return router.process.poll() is None and client.admin.command("listShards")["ok"] == 1


def message(body: bytes, opcode: int = wire.OP_MSG, length: int | None = None) -> bytes:
    return wire.HEADER.pack(16 + len(body) if length is None else length, 1, 0, opcode) + body


PING = b"\0\0\0\0\0" + bson.encode({"ping": 1, "$db": "admin"})
JUNK = {
    "random bytes": os.urandom(200),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 64,
    "negative length": message(PING, length=-5),
    "a length past the limit": message(PING, length=wire.MAX_MESSAGE_BYTES + 1),
    "an unknown opcode": message(PING, opcode=4711),
    "a compressed message that was not offered": message(PING, opcode=2012),
    "an unknown required flag": message(b"\x40" + PING[1:]),
    "a document that lies about its length": message(b"\0\0\0\0\0" + b"\xff\xff\xff\x7f" + PING[9:]),
    "a document cut short": message(PING[:-4]),
}


@pytest.mark.parametrize("name", JUNK)
def test_bad_bytes_end_one_connection(router: SpareRouter, name: str):
    """The one they came on; a neighbour goes on with what it was doing."""
    with router.client() as neighbour, router.connect() as sock:
        neighbour.admin.command("ping")
        sock.sendall(JUNK[name])
        with suppress(ConnectionError, OSError):  # an end is an end, with or without a reset
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        neighbour.admin.command("ping")
    assert still_serves(router)


def test_half_a_message_waits_without_harm(router: SpareRouter):
    """A client that stops in mid-message costs a thread and no more."""
    with router.connect() as sock:
        sock.sendall(message(PING)[:20])
        assert still_serves(router)


def test_promised_bytes_cost_no_memory(router: SpareRouter):
    """Twenty headers that announce 48 MB each; what counts is what arrives."""
    before = router.resident_mib
    socks = [router.connect() for _ in range(20)]
    for sock in socks:
        sock.sendall(message(PING, length=wire.MAX_MESSAGE_BYTES) + b"x" * 1000)
    assert still_serves(router)
    assert router.resident_mib - before < 100
    for sock in socks:
        sock.close()


def test_deep_nesting_is_refused_by_the_server(router: SpareRouter):
    """200 levels are the server's limit to keep, and its error comes back."""
    document: dict[str, Any] = {"a": 1}
    for _ in range(200):
        document = {"a": document}
    with router.client() as client:
        with pytest.raises((OperationFailure, ConnectionFailure)):
            client["router_tests"]["deep"].insert_one(document)
        with pytest.raises((OperationFailure, ConnectionFailure)):
            client["router_tests"]["deep"].find_one(document)
    assert still_serves(router)


def test_a_crowd_is_served(router: SpareRouter, admin_client: MongoClient[Any]):
    """Two hundred connections at once, each reads its own write."""
    with (
        sharded(admin_client) as things,
        router.client(maxPoolSize=CROWD) as client,
        ThreadPoolExecutor(CROWD) as pool,
    ):
        everybody_connected = threading.Barrier(CROWD)

        def use(number: int) -> int:
            with client._conn_for_writes(None, "raw") as connection:  # held, so that no two threads share one
                everybody_connected.wait(60)
                connection.command(things.database.name, {"insert": things.name, "documents": [{"_id": number}]})
                found = connection.command(things.database.name, {"find": things.name, "filter": {"_id": number}})
                return int(found["cursor"]["firstBatch"][0]["_id"])

        assert sorted(pool.map(use, range(CROWD))) == list(range(CROWD))


def test_a_connection_past_the_limit_is_refused(router: SpareRouter):
    """And accepted again when others have gone."""
    socks = []
    try:
        for _ in range(MAX_CONNECTIONS):
            socks.append(router.connect())
        wait_until("the limit to be reached", lambda: refused(router), START_LIMIT_S)
    finally:
        for sock in socks:
            sock.close()
    wait_until("a place to be free", lambda: listening_and_serving(router), START_LIMIT_S)


def refused(router: SpareRouter) -> None:
    with router.connect() as sock:
        sock.settimeout(0.5)
        try:
            if sock.recv(1) == b"":
                return
        except TimeoutError:
            pass
        except ConnectionResetError:
            return
    raise NotReady("the connection stays open")


def listening_and_serving(router: SpareRouter) -> None:
    try:
        with router.client(serverSelectionTimeoutMS=1000) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        raise NotReady(str(error)) from error


def test_a_client_that_does_not_read_holds_up_nobody(router: SpareRouter, admin_client: MongoClient[Any]):
    """It asks for megabytes and does not take them."""
    with sharded(admin_client) as things:
        things.insert_many([{"text": "x" * 100_000} for _ in range(100)])
        with router.client(maxPoolSize=1) as slow, slow._conn_for_writes(None, "raw") as connection:
            body = {"find": things.name, "batchSize": 1000, "$db": things.database.name}
            connection.conn.sock.sendall(wire.encode_command(body, 1))
            started = time.monotonic()
            with router.client() as client:
                for _ in range(20):
                    client[things.database.name][things.name].find_one({}, {"_id": 1})
            assert time.monotonic() - started < 30


def test_a_client_that_vanishes_in_a_cursor_is_forgotten(router: SpareRouter, admin_client: MongoClient[Any]):
    """The next ones are served; the cursor can be killed by its owner."""
    with sharded(admin_client) as things:
        things.insert_many([{} for _ in range(500)])
        client = router.client()
        cursor = client[things.database.name][things.name].find(batch_size=10)
        next(cursor)
        address = cursor.cursor_id
        with client._conn_for_writes(None, "raw") as connection:
            connection.conn.sock.shutdown(socket.SHUT_RDWR)
        with router.client() as other:
            killed = other[things.database.name].command("killCursors", things.name, cursors=[address])
            assert killed["cursorsKilled"] == [address]
        client.close()
    assert still_serves(router)


def test_sigterm_lets_a_command_finish(router: SpareRouter):
    """Its answer arrives, new connections are refused, the process ends with 0."""
    answers: list[Any] = []
    with router.client(maxPoolSize=1, retryReads=False) as client, router.client() as other:
        block = {"failCommands": ["listShards"], "blockConnection": True, "blockTimeMS": 1500}
        other.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": block})
        client.admin.command("ping")
        slow = threading.Thread(target=lambda: answers.append(client.admin.command("listShards")))
        slow.start()
        time.sleep(0.4)  # the command is on its way; how long it takes is the fail point's
        router.process.terminate()
        slow.join(STOP_LIMIT_S)
    assert router.process.wait(STOP_LIMIT_S) == 0
    assert answers and answers[0]["ok"] == 1
    with pytest.raises(OSError):
        router.connect()


WRONG: tuple[dict[str, Any], ...] = (
    {"ping": 1, "maxTimeMS": float("inf")},
    {"endSessions": [{"q": 1}]},
    {"endSessions": [{"id": 8_000_000_000}]},
    {"killSessions": [1]},
    {"killCursors": "things", "cursors": [{}]},
    {"update": "things", "updates": [{"q": -1, "u": {}}]},
    {"find": "things", "filter": {"$and": [3]}},
    {"find": "things", "skip": float("nan")},
    {"count": "things", "limit": float("inf")},
    {"create": "things", "viewOn": 3},
    {"aggregate": "things", "pipeline": [{"$changeStream": 3}], "cursor": {}},
    {"aggregate": "things", "pipeline": [{"$changeStream": {"resumeAfter": 1}}], "cursor": {}},
    *({"aggregate": "things", "pipeline": [{stage: value}], "cursor": {}} for value in (1, {}, {"a": 1})
      for stage in ("$lookup", "$graphLookup", "$unionWith", "$facet", "$merge", "$out")),
    {"explain": {"count": "things", "query": 5}},
)  # fmt: skip


@pytest.mark.parametrize("command", WRONG, ids=str)
def test_a_command_of_wrong_types_is_refused(admin_client: MongoClient[Any], command: dict[str, Any]):
    """By an error of its own: never as a failure of the router."""
    with pytest.raises(OperationFailure) as caught:
        admin_client["router_tests"].command(command)
    assert caught.value.code != 1

"""A client that follows changes, and an API process of a test's own."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
from api_support import Caller
from support import FROM_ONE_ADDRESS, free_port

from cluster.layout import PACKAGE_ROOT
from cluster.local import LocalCluster
from cluster.roles import API
from cluster.run.services import GUNICORN, Services
from cluster.wait import NotReady, wait_until

LIMIT_S = 20
# Half of what gunicorn waits for answers in flight before it kills.
STOP_S = 15
BEAT = "heartbeat"


@dataclass(frozen=True)
class Event:
    """One event as it came."""

    kind: str
    id: str
    data: dict[str, Any]

    @property
    def title(self) -> str:
        """`created Report 1`: kind, and of an item its title or name and its version."""
        item = self.data.get("item", {})
        name = item.get("title") or item.get("name") or self.data.get("resource", "")
        return f"{self.kind} {name} {self.data.get('version', '')}".strip()


class Listener:
    """Somebody's open answer, read in a thread; `events` are those that came, heartbeats apart."""

    def __init__(self, who: Caller, last: str | None = None, **params: Any) -> None:
        headers = dict(who.headers) | ({"Last-Event-ID": last} if last else {})
        url = f"{who.url}/api/v1/changes"
        self.answer = requests.get(url, headers=headers, params=params, stream=True, timeout=LIMIT_S)
        self.events: list[Event] = []
        self.beats: list[Event] = []
        self.is_over = False
        self.is_broken = False
        if self.answer.status_code == 200:
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()
            self.wait(lambda: bool(self.beats), "the first heartbeat")

    def _read(self) -> None:
        try:
            for event in parse(self.answer.iter_lines(chunk_size=None)):
                (self.beats if event.kind == BEAT else self.events).append(event)
        except (requests.RequestException, AttributeError):
            self.is_broken = True
        self.is_over = True

    def wait(self, condition: Any, what: str, limit_s: float = LIMIT_S) -> None:
        def probe() -> None:
            if not condition():
                raise NotReady(f"{[event.title for event in self.events]}, {len(self.beats)} heartbeats")

        wait_until(what, probe, limit_s)

    def until(self, title: str) -> list[str]:
        """What came up to an event, e.g. `created end`; without that."""
        self.wait(lambda: any(event.title.startswith(title) for event in self.events), title)
        titles = [event.title for event in self.events]
        return titles[: next(number for number, each in enumerate(titles) if each.startswith(title))]

    @property
    def last_id(self) -> str:
        """Of the last event that was no heartbeat, or the first heartbeat."""
        return (self.events or self.beats)[-1].id

    def close(self) -> None:
        """Closing alone would wait for the thread that reads."""
        connection = getattr(self.answer.raw, "_connection", None)
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        self.answer.close()

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def parse(lines: Iterator[bytes]) -> Iterator[Event]:
    """The events in a text/event-stream, as the standard reads them."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.decode().partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Event(fields["event"], fields["id"], json.loads(fields["data"]))
            fields = {}


@contextmanager
def process(cluster: LocalCluster, **settings: str) -> Iterator["Process"]:
    """An API of one worker process with the tokens of every other API of the cluster."""
    found = Process(cluster, settings)
    found.start()
    try:
        yield found
    finally:
        found.stop()


class Process:
    def __init__(self, cluster: LocalCluster, settings: Mapping[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environ = Services(cluster, port, {"WORKERS": "1", **FROM_ONE_ADDRESS, **settings}).environment(API)
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        output = subprocess.DEVNULL if "KEEP" not in os.environ else None
        argv = [sys.executable, *GUNICORN]
        self._popen = subprocess.Popen(argv, cwd=PACKAGE_ROOT, env=self._environ, stdout=output, stderr=output)
        wait_until("the API", self._ready, 30)

    def _ready(self) -> None:
        try:
            if requests.get(f"{self.url}/health/ready", timeout=5).status_code != 200:
                raise NotReady("not ready")
        except requests.RequestException as error:
            raise NotReady(str(error)) from error

    def stop(self) -> None:
        """As its supervisor stops it; returns when it has ended. Raises TimeoutExpired after `STOP_S`."""
        if self._popen is not None:
            self._popen.terminate()
            self._popen.wait(STOP_S)
            self._popen = None

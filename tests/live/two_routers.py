"""The API in this process, once for each router: what one worker and router has written, another one reads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from api_support import KEY, registration
from flask import Flask
from pymongo.monitoring import CommandStartedEvent
from support import FROM_ONE_ADDRESS
from werkzeug.test import TestResponse

from api import create_app
from api.services import services
from api.watch import WriteWatch
from cluster.connections import uri as uri_of
from cluster.local import LocalCluster
from cluster.roles import MONITOR, WORKER

USUAL = {"ARGON2_MEMORY_KIB": "64", "ARGON2_TIME": "1", **FROM_ONE_ADDRESS}


class Recorder(WriteWatch):
    """The API's own listener, which also keeps the commands of named queries."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        super().started(event)
        if "comment" in event.command:
            self.commands.append(dict(event.command))


@dataclass(frozen=True)
class Door:
    """An API of this process, and somebody who calls it."""

    app: Flask
    recorder: Recorder
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **query: Any
    ) -> TestResponse:
        """One request; `recorder` then has the commands it took."""
        self.recorder.commands.clear()
        sent: dict[str, Any] = {} if body is None else {"json": body}
        merged = {**self.headers, **(headers or {})}
        return self.app.test_client().open(
            f"/api/v1{path}", method=method, headers=merged, query_string=query or None, **sent
        )

    def named(self, name: str) -> dict[str, Any]:
        """The command of one query of the last request."""
        (found,) = [command for command in self.recorder.commands if command["comment"] == name]
        return found


@contextmanager
def door(cluster: LocalCluster, router: int, **settings: str) -> Iterator[Door]:
    """The API through one router alone, called by nobody; `settings` stand where others than the usual are wanted."""
    recorder = Recorder()
    uri = uri_of(cluster.cluster.routers[router].address, cluster.login(WORKER))
    environ = {"MONGODB_URI": uri, "MONGODB_MONITOR_URI": cluster.uri(MONITOR), "MONGODB_DB": cluster.database}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.db.WriteWatch", lambda: recorder)
        app = create_app({**environ, "JWT_KEYS": KEY, **USUAL, **settings})
    yield Door(app, recorder)
    with app.app_context():
        services().connection.close()
        services().monitor.close()


def token_of(found: Door, username: str, password: str) -> dict[str, str]:
    """The headers of somebody who is logged in."""
    answer = found.call("POST", "/auth/login", {"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


def newcomer(found: Door) -> dict[str, str]:
    """The headers of somebody new."""
    body = registration()
    assert found.call("POST", "/auth/register", body).status_code == 201
    return token_of(found, body["username"], body["password"])

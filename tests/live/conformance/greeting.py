"""Handshake, login, sessions."""

import datetime
import uuid
from typing import Any

from bson import Binary, Int64

from .row import Absent, admin, ask, fields, has, refused, row, size
from .stage import PLAIN

# What makes a driver take a server for a mongos, and not for a member of a set.
GREETING = {"msg": "isdbgrid", "setName": Absent, "hosts": Absent, "me": Absent, "maxBsonObjectSize": 16 * 1024 * 1024,
            "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000, "localTime": datetime.datetime,
            "logicalSessionTimeoutMinutes": 30, "connectionId": int, "minWireVersion": 0,
            "maxWireVersion": lambda found: found >= 9, "operationTime": lambda found: found.time > 0,
            "$clusterTime": has("clusterTime", "signature")}  # fmt: skip
WHO = admin({"connectionStatus": 1})
NOBODY = b"n,,n=nobody,r=abcdefghijklmnopqrstuvwx"


def session() -> dict[str, Binary]:
    return {"id": Binary.from_uuid(uuid.uuid4())}


OTHER = session()


def me(answers: Any) -> str:
    """The user's name, of an answer to WHO that came first."""
    return str(answers[0]["authInfo"]["authenticatedUsers"][0]["user"])


def first_step(answers: Any) -> dict[str, Any]:
    """The first step of the same user's login."""
    payload = Binary(b"n,,n=" + me(answers).encode() + b",r=abcd")
    return {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": payload}


def to_next(answers: Any) -> dict[str, Any]:
    """The next step of a login, with a proof that cannot be right."""
    nonce = bytes(answers[1]["payload"]).split(b",")[0]
    return {"saslContinue": 1, "conversationId": answers[1]["conversationId"],
            "payload": Binary(b"c=biws," + nonce + b",p=" + b"A" * 43 + b"=")}  # fmt: skip


ROWS = (
    row("hello: as drivers greet", admin({"hello": 1}, {**GREETING, "isWritablePrimary": True})),
    row("isMaster: as older drivers greet", admin({"isMaster": 1}, {**GREETING, "ismaster": True})),
    row("ismaster: the same in small letters", admin({"ismaster": 1}, {**GREETING, "ismaster": True})),
    row(
        "hello: which logins a user may use",
        WHO,
        admin(
            lambda answers: {"hello": 1, "saslSupportedMechs": f"admin.{me(answers)}"},
            {"saslSupportedMechs": has("SCRAM-SHA-256")},
        ),
    ),
    row("ping: on any database", ask({"ping": 1}), admin({"ping": 1.0}), ask({"ping": 1}, db="no_such_database")),
    row(
        "buildInfo: the version",
        admin(
            {"buildInfo": 1},
            {
                "version": str,
                "versionArray": size(4),
                "gitVersion": str,
                "maxBsonObjectSize": 16 * 1024 * 1024,
                "modules": list,
                "bits": 64,
            },
        ),
    ),
    row("buildinfo: the same in small letters", admin({"buildinfo": 1}, {"version": str})),
    row("no such command: refused by name", admin({"frobnicate": 1}, refused(59)), ask({"Find": PLAIN}, refused(59))),
    row(
        "saslStart: a login begins",
        WHO,
        admin(first_step, {"conversationId": int, "done": False, "payload": bytes}),
        alone=True,
    ),
    row(
        "saslStart: an unknown mechanism",
        admin({"saslStart": 1, "mechanism": "ROT13", "payload": Binary(b"")}, refused(2, 18, 334)),
        alone=True,
    ),
    row(
        "saslStart: nobody",
        admin({"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": Binary(NOBODY)}, refused(18)),
        alone=True,
    ),
    row(
        "saslStart: not on local",
        ask({"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": Binary(NOBODY)}, refused(20), "local"),
        alone=True,
    ),
    row(
        "saslContinue: a wrong proof",
        WHO,
        admin(first_step),
        admin(to_next, refused(18)),
        alone=True,
    ),
    row(
        "saslContinue: with no login begun",
        admin({"saslContinue": 1, "conversationId": 1, "payload": Binary(b"")}, refused(17)),
        alone=True,
    ),
    row("logout: nothing may be done afterwards", admin({"logout": 1}), ask({"find": PLAIN}, refused(13)), alone=True),
    row(
        "connectionStatus: who am I",
        admin(
            {"connectionStatus": 1},
            {
                "authInfo.authenticatedUsers": fields("user", "db"),
                "authInfo.authenticatedUserRoles": fields("role", "db"),
                "authInfo.authenticatedUserPrivileges": Absent,
            },
        ),
    ),
    row(
        "connectionStatus: and what may I do",
        admin(
            {"connectionStatus": 1, "showPrivileges": True},
            {"authInfo.authenticatedUserPrivileges": fields("resource", "actions")},
        ),
    ),
    row(
        "connectionStatus: showPrivileges must be a truth",
        admin({"connectionStatus": 1, "showPrivileges": "yes"}, refused(14)),
    ),
    row("whatsmyuri: host and port", admin({"whatsmyuri": 1}, {"you": lambda found: ":" in found})),
    row("isdbgrid: yes", admin({"isdbgrid": 1}, {"isdbgrid": 1, "hostname": str})),
    row(
        "startSession: an id and its life",
        admin({"startSession": 1}, {"id.id": lambda found: found is not None, "timeoutMinutes": 30}),
    ),
    row("refreshSessions: kept alive", admin({"refreshSessions": [OTHER]})),
    row("refreshSessions: a list is needed", admin({"refreshSessions": 1}, refused(14, 10065))),
    row("endSessions: ended, known or not", admin({"endSessions": [OTHER]}), admin({"endSessions": [session()]})),
    row("endSessions: a list is needed", admin({"endSessions": 1}, refused(14, 10065))),
    row("killSessions: known or not", admin({"killSessions": [OTHER]}), admin({"killSessions": []})),
    row("killAllSessions: of nobody", admin({"killAllSessions": [{"user": "nobody", "db": "admin"}]}, refused(11))),
    row(
        "killAllSessionsByPattern: of a session",
        admin({"killAllSessionsByPattern": [{"lsid": {**session(), "uid": Binary(bytes(32))}}]}),
    ),
    row(
        "commitTransaction: of no transaction",
        admin({"commitTransaction": 1, "lsid": OTHER, "txnNumber": Int64(1), "autocommit": False}, refused(251, 50940)),
    ),
    row(
        "commitTransaction: without a number",
        admin({"commitTransaction": 1, "lsid": OTHER}, refused(2, 72, 125, 50768, 6410800)),
    ),
    row(
        "abortTransaction: of no transaction",
        admin({"abortTransaction": 1, "lsid": OTHER, "txnNumber": Int64(1), "autocommit": False}, refused(251)),
    ),
)

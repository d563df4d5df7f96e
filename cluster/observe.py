"""Takes the picture that `cluster.status` describes: asks every member and router side by side.

Members are asked themselves, as `shardboard_monitor`: routers refuse `replSetGetStatus`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from .connections import Client, Connections, account_login, why
from .migrate.files import load_migrations
from .migrate.history import read_entries
from .roles import ACCOUNTS, ADMIN, ADMIN_DATABASE, MONITOR
from .routing import ROUTING_TIMEOUT_S, read_routing
from .secrets import Secrets
from .status import DOWN, Access, ClusterStatus, MemberStatus, Move, RouterStatus, Routing, SetStatus, UserStatus
from .together import together
from .topology import Cluster, Member, ReplicaSet, Router

# A frozen member accepts connections and never answers: the whole picture is due within three seconds.
ANSWER_TIMEOUT_MS = 1_500
PRIMARY = 1
# Every node at once: one that is silent delays none of the others.
MOST_AT_ONCE = 128
MOVING = {
    "$or": [
        {"command._shardsvrMoveRange": {"$exists": True}},
        {"command.moveChunk": {"$exists": True}},
        {"originatingCommand.reshardCollection": {"$exists": True}},
    ]
}


def monitoring(secrets: Secrets) -> Connections:
    """Clients for `observe`, logged in as the monitoring user; give them back with `with`."""
    return Connections(account_login(secrets, MONITOR), ANSWER_TIMEOUT_MS, ANSWER_TIMEOUT_MS)


def observe_all(cluster: Cluster, secrets: Secrets, database: str) -> ClusterStatus:
    """The whole picture: as `observe`, with what an administrator sees."""
    administrator = Connections(account_login(secrets, ADMIN), ANSWER_TIMEOUT_MS, ANSWER_TIMEOUT_MS)
    with monitoring(secrets) as connections, administrator as admin:
        return observe(cluster, connections, database, lambda: read_access(admin.routers(cluster), secrets, database))


def observe(
    cluster: Cluster, connections: Connections, database: str, access: Callable[[], Access] | None = None
) -> ClusterStatus:
    """The state of `cluster` now, within three seconds whatever is down; what is down is part of the picture."""
    questions: list[Callable[[], Any]] = [
        lambda: _answer_or_error(lambda: read_routing(connections.routers(cluster), cluster, database)),
        lambda: _answer_or_error(access) if access else None,
        *[(lambda router=router: ask_router(router, connections)) for router in cluster.routers],
        *[(lambda m=member: _answer_or_error(lambda: _ask(m, connections))) for member in cluster.members],
    ]
    routing, seen, *rest = together(lambda question: question(), questions, MOST_AT_ONCE)
    routers, members = rest[: len(cluster.routers)], rest[len(cluster.routers) :]
    return _picture(cluster, routing, seen, tuple(routers), dict(zip(cluster.members, members, strict=True)))


def _picture(
    cluster: Cluster,
    routing: "Routing | PyMongoError",
    seen: "Access | PyMongoError | None",
    routers: tuple[RouterStatus, ...],
    answers: "dict[Member, Answer]",
) -> ClusterStatus:
    moves = (move for answer in answers.values() if isinstance(answer, MemberAnswer) for move in answer.moves)
    return ClusterStatus(
        tuple(_set(replica_set, answers) for replica_set in cluster.sets),
        routers,
        None if isinstance(routing, PyMongoError) else routing,
        why(routing) if isinstance(routing, PyMongoError) else None,
        tuple(sorted(set(moves), key=str)),
        None if isinstance(seen, PyMongoError) else seen,
        why(seen) if isinstance(seen, PyMongoError) else None,
    )


def _answer_or_error(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except PyMongoError as error:
        return error


# Members and sets


@dataclass(frozen=True)
class MemberAnswer:
    """`replSetGetStatus`, with the version, the ranges that leave this member's shard, and what is left of TLS."""

    status: dict[str, Any]
    version: str
    moves: tuple[Move, ...]
    certificate_days: int | None = None


Answer = MemberAnswer | PyMongoError


def _ask(member: Member, connections: Connections) -> MemberAnswer:
    client = connections.member(member)
    status = client.admin.command("replSetGetStatus")
    is_donor = member.role == "shardsvr" and status["myState"] == PRIMARY
    moves = _moves(client, member.set_name) if is_donor else ()
    return MemberAnswer(status, client.admin.command("buildInfo")["version"], moves, certificate_days(client))


def certificate_days(client: Client) -> int | None:
    """How long the certificate that a node loaded at its start is still valid; None without TLS."""
    security = client.admin.command("serverStatus").get("security", {})
    end: datetime | None = security.get("SSLServerCertificateExpirationDate")
    return (end.replace(tzinfo=UTC) - datetime.now(UTC)).days if end else None


def _moves(client: Client, shard: str) -> tuple[Move, ...]:
    pipeline: list[dict[str, Any]] = [{"$currentOp": {"allUsers": True}}, {"$match": MOVING}]
    return tuple(_move(row, shard) for row in client.admin.aggregate(pipeline))


def _move(row: dict[str, Any], shard: str) -> Move:
    command = row.get("command") or {}
    resharded = row.get("originatingCommand", {}).get("reshardCollection")
    name = command.get("_shardsvrMoveRange") or command.get("moveChunk") or resharded
    return Move(str(name), shard, command.get("toShard"))


def _set(replica_set: ReplicaSet, answers: dict[Member, Answer]) -> SetStatus:
    newest = _newest_write(found for m in replica_set.members if isinstance(found := answers[m], MemberAnswer))
    return SetStatus(replica_set.name, tuple(_member(m, answers[m], newest) for m in replica_set.members))


def _newest_write(answers: Iterable[MemberAnswer]) -> datetime | None:
    """When the set's primary last wrote; lags are counted from there."""
    return next((_self(answer)["optimeDate"] for answer in answers if answer.status["myState"] == PRIMARY), None)


def _member(member: Member, answer: Answer, newest: datetime | None) -> MemberStatus:
    if not isinstance(answer, MemberAnswer):
        return MemberStatus(member.name, member.address, DOWN, error=why(answer))
    itself = _self(answer)
    # Asked at different moments, so a secondary may look newer than its primary.
    lag_s = max(0.0, (newest - itself["optimeDate"]).total_seconds()) if newest else None
    return MemberStatus(
        member.name,
        member.address,
        itself["stateStr"],
        answer.version,
        itself["uptime"],
        lag_s,
        certificate_days=answer.certificate_days,
    )


def _self(answer: MemberAnswer) -> dict[str, Any]:
    return next(member for member in answer.status["members"] if member.get("self"))


# Routers, and what an administrator sees through them


def ask_router(router: Router, connections: Connections) -> RouterStatus:
    """One router; `error` says why it did not answer."""
    return router_status(router, connections.member(router))


def router_status(router: Router, client: Client) -> RouterStatus:
    """What the router says of itself through `client`."""
    try:
        hello, version = client.admin.command("hello"), client.admin.command("buildInfo")["version"]
        days = certificate_days(client)
    except PyMongoError as error:
        return RouterStatus(router.name, router.address, error=why(error))
    return RouterStatus(router.name, router.address, version, bool(hello.get("shardboardStandIn")), None, days)


def read_access(routers: Client, secrets: Secrets, database: str) -> Access:
    """Users and migrations.

    Raises:
        PyMongoError: the config servers do not answer in time.
    """
    with pymongo.timeout(ROUTING_TIMEOUT_S):
        found = routers[ADMIN_DATABASE].command("usersInfo", 1)["users"]
        entries = read_entries(routers, database, load_migrations())
    in_use = {account.user(secrets.generation(account.name)) for account in ACCOUNTS}
    users = (UserStatus(u["user"], tuple(role["role"] for role in u["roles"]), u["user"] in in_use) for u in found)
    return Access(
        tuple(sorted(users, key=lambda user: user.name)),
        tuple(sorted(in_use - {user["user"] for user in found})),
        tuple(entry.name for entry in entries if not entry.is_applied),
    )

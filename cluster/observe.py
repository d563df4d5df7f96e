"""Takes the picture that `cluster.status` describes: asks every member and router side by side.

Members are asked themselves, as `shardboard_monitor`: routers refuse `replSetGetStatus`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pymongo.errors import PyMongoError

from .collections import COLLECTIONS
from .connections import Client, Connections, account_login, why
from .roles import MONITOR
from .secrets import Secrets
from .status import DOWN, ClusterStatus, CollectionStatus, Holding, MemberStatus, RouterStatus, Routing, SetStatus
from .together import together
from .topology import Cluster, Member, ReplicaSet, Router

# A frozen member accepts connections and never answers: the whole picture is due within three seconds.
ANSWER_TIMEOUT_MS = 2_000
PRIMARY = 1


def monitoring(secrets: Secrets) -> Connections:
    """Clients for `observe`, logged in as the monitoring user; give them back with `with`."""
    return Connections(account_login(secrets, MONITOR), ANSWER_TIMEOUT_MS, ANSWER_TIMEOUT_MS)


def observe(cluster: Cluster, connections: Connections, database: str) -> ClusterStatus:
    """The state of `cluster` now, within about three seconds whatever is down; what is down is part of the picture."""
    routers = tuple(together(lambda router: _router(router, connections), cluster.routers))
    answers = dict(zip(cluster.members, together(lambda m: _ask(m, connections), cluster.members), strict=True))
    sets = tuple(_set(replica_set, answers) for replica_set in cluster.sets)
    answering = [router for router, seen in zip(cluster.routers, routers, strict=True) if seen.error is None]
    if not answering:
        return ClusterStatus(sets, routers, None, "no router answers")
    try:
        routing = _routing(connections.member(answering[0]), cluster, database)
    except PyMongoError as error:
        return ClusterStatus(sets, routers, None, why(error))
    return ClusterStatus(sets, routers, routing)


# Members and sets

Answer = dict[str, Any] | PyMongoError


def _ask(member: Member, connections: Connections) -> Answer:
    client = connections.member(member)
    try:
        status = client.admin.command("replSetGetStatus")
        return {**status, "version": client.admin.command("buildInfo")["version"]}
    except PyMongoError as error:
        return error


def _set(replica_set: ReplicaSet, answers: dict[Member, Answer]) -> SetStatus:
    newest = _newest_write(answer for member in replica_set.members if isinstance(answer := answers[member], dict))
    return SetStatus(replica_set.name, tuple(_member(m, answers[m], newest) for m in replica_set.members))


def _newest_write(answers: Iterable[dict[str, Any]]) -> datetime | None:
    """When the set's primary last wrote; lags are counted from there."""
    return next((_self(answer)["optimeDate"] for answer in answers if answer["myState"] == PRIMARY), None)


def _member(member: Member, answer: Answer, newest: datetime | None) -> MemberStatus:
    if not isinstance(answer, dict):
        return MemberStatus(member.name, member.address, DOWN, error=why(answer))
    itself = _self(answer)
    # Asked at different moments, so a secondary may look newer than its primary.
    lag_s = max(0.0, (newest - itself["optimeDate"]).total_seconds()) if newest else None
    return MemberStatus(member.name, member.address, itself["stateStr"], answer["version"], itself["uptime"], lag_s)


def _self(answer: dict[str, Any]) -> dict[str, Any]:
    return next(member for member in answer["members"] if member.get("self"))


# Routers, and what only they know


def _router(router: Router, connections: Connections) -> RouterStatus:
    admin = connections.member(router).admin
    try:
        hello, version = admin.command("hello"), admin.command("buildInfo")["version"]
    except PyMongoError as error:
        return RouterStatus(router.name, router.address, error=why(error))
    return RouterStatus(router.name, router.address, version, bool(hello.get("shardboardStandIn")))


def _routing(router: Client, cluster: Cluster, database: str) -> Routing:
    shards = router.admin.command("listShards")["shards"]
    names = tuple(sorted(shard["_id"] for shard in shards))
    present = {found["name"] for found in router[database].list_collections(nameOnly=True)}
    chunks = _chunks(router, database)
    return Routing(
        shards=names,
        draining=tuple(shard["_id"] for shard in shards if shard.get("draining")),
        missing_shards=tuple(shard.name for shard in cluster.shards if shard.name not in names),
        missing_collections=tuple(
            c.name for c in COLLECTIONS if c.name not in present or (c.is_sharded and c.name not in chunks)
        ),
        collections=tuple(
            _collection(router, database, name, chunks.get(name)) for name in sorted(present) if "system." not in name
        ),
        balancer_on=_balancer_on(router),
    )


def _balancer_on(router: Client) -> bool:
    """Whether ranges may move by themselves; nothing is stored until somebody switches it off."""
    settings = router["config"]["settings"].find_one({"_id": "balancer"}) or {}
    return not settings.get("stopped") and settings.get("mode") != "off"


def _chunks(router: Client, database: str) -> dict[str, dict[str, int]]:
    """Ranges by shard, by sharded collection."""
    config = router["config"]
    sharded = list(config["collections"].find({"_id": {"$gt": f"{database}.", "$lt": f"{database}/"}}))
    # Since 5.0 chunks name their collection by its UUID, before by its name.
    names = {found.get(key): found["_id"].partition(".")[2] for found in sharded for key in ("uuid", "_id")}
    counts: dict[str, dict[str, int]] = {name: {} for name in names.values()}
    group = {"_id": {"collection": {"$ifNull": ["$uuid", "$ns"]}, "shard": "$shard"}, "count": {"$sum": 1}}
    for row in config["chunks"].aggregate([{"$group": group}]):
        name = names.get(row["_id"]["collection"])
        if name is not None:
            counts[name][row["_id"]["shard"]] = row["count"]
    return counts


def _collection(router: Client, database: str, name: str, chunks: dict[str, int] | None) -> CollectionStatus:
    rows = router[database][name].aggregate([{"$collStats": {"storageStats": {}}}])
    holdings = (_holding(row, chunks or {}) for row in rows)
    return CollectionStatus(name, chunks is not None, tuple(sorted(holdings, key=lambda holding: holding.shard)))


def _holding(row: dict[str, Any], chunks: dict[str, int]) -> Holding:
    stats = row["storageStats"]
    documents = int(stats.get("count", 0)) - int(stats.get("numOrphanDocs", 0))
    return Holding(row["shard"], chunks.get(row["shard"], 0), documents, int(stats.get("size", 0)))

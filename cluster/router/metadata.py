"""Databases, collections, indexes, shards, ranges, zones, the balancer: what changes or shows the cluster's metadata.

Each handler turns a command of a mongos into the internal command that a mongos would send.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bson import Int64

from .access import Need
from .chunks import Table
from .errors import CommandError
from .operation import Operation, latest, versions
from .reads import _keep_cursor, reply_of
from .shards import MAJORITY, MemberError, Retry, checked

Handler = Callable[[Operation], dict[str, Any]]


# -- the config servers answer


def on_config(op: Operation) -> dict[str, Any]:
    """Pass a command to the config servers as it is, e.g. `getDefaultRWConcern`, `usersInfo`."""
    return op.on_config(op.forwarded())


def user_command(op: Operation) -> dict[str, Any]:
    """A command on users or roles; they are stored on the config servers."""
    reply = op.on_config(op.forwarded(writeConcern=op.body.get("writeConcern") or MAJORITY))
    op.login.forget_privileges()
    return reply


def invalidate_user_cache(op: Operation) -> dict[str, Any]:
    op.login.forget_privileges()
    return {"ok": 1.0}


def set_default_rw_concern(op: Operation) -> dict[str, Any]:
    reply = on_config(op)
    op.grid.refresh_defaults()
    return reply


def as_configsvr(internal: str, *, concern: bool = True) -> Handler:
    """A handler that renames a command, e.g. `balancerStop` to `_configsvrBalancerStop`."""

    def handler(op: Operation) -> dict[str, Any]:
        body = op.without_session()
        body = {internal: body.pop(op.name), **body, "$db": "admin"}
        if concern:
            body["writeConcern"] = MAJORITY
        reply = op.on_config(body)
        op.catalog.forget_all()
        return reply

    return handler


def add_shard(op: Operation) -> dict[str, Any]:
    """`addShard: "<set>/<host>,..."`."""
    reply = as_configsvr("_configsvrAddShard")(op)
    if reply.get("ok"):
        op.grid.load_shards()
    return reply


def remove_shard(op: Operation) -> dict[str, Any]:
    """`removeShard`: starts draining, and says how far it is when asked again."""
    reply = as_configsvr("_configsvrRemoveShard")(op)
    if reply.get("ok") and reply.get("state") == "completed":
        op.grid.load_shards()
    return reply


def list_shards(op: Operation) -> dict[str, Any]:
    return {"shards": op.grid.config_find("shards", {}), "ok": 1.0}


def get_shard_map(op: Operation) -> dict[str, Any]:
    sets = {name: f"{shard.name}/{','.join(shard.members or shard.seeds)}" for name, shard in op.grid.shards.items()}
    config = op.grid.config
    return {"map": {**sets, "config": f"{config.name}/{','.join(config.members or config.seeds)}"}, "ok": 1.0}


def flush_router_config(op: Operation) -> dict[str, Any]:
    op.catalog.forget_all()
    op.grid.load_shards()
    return {"flushed": True, "ok": 1.0}


# -- databases


def list_databases(op: Operation) -> dict[str, Any]:
    """`listDatabases`: sizes summed over the shards; without `listDatabases` only those the user has anything on."""
    body = op.without_session(**{"$db": "admin"})
    body.pop("nameOnly", None)
    body.pop("authorizedDatabases", None)
    sizes: dict[str, int] = {}
    for where in [op.grid.config, *op.grid.shards.values()]:
        for found in checked(op.grid.call(where, body, op.deadline, Retry.IDEMPOTENT))["databases"]:
            sizes[found["name"]] = sizes.get(found["name"], 0) + int(found.get("sizeOnDisk", 0))
    sizes.pop("local", None)
    privileges = op.login.privileges()
    names = sorted(name for name in sizes if privileges.touches(name))
    if op.body.get("nameOnly"):
        return {"databases": [{"name": name} for name in names], "ok": 1.0}
    databases = [{"name": name, "sizeOnDisk": sizes[name], "empty": sizes[name] == 0} for name in names]
    return {"databases": databases, "totalSize": sum(sizes[name] for name in names), "ok": 1.0}


def enable_sharding(op: Operation) -> dict[str, Any]:
    """`enableSharding: <db>`: the database exists afterwards, with a primary shard."""
    name, primary = str(op.body[op.name]), op.body.get("primaryShard")
    if name in ("admin", "local"):
        raise CommandError("InvalidOptions", f"database {name} cannot be sharded")
    if primary is None:
        op.catalog.ensure_database(name)
        return {"ok": 1.0}
    body = {"_configsvrCreateDatabase": name, "primaryShardId": primary, "writeConcern": MAJORITY, "$db": "admin"}
    reply = op.on_config(body)
    op.catalog.forget_database(name)
    return {"ok": 1.0} if reply.get("ok") else reply


def move_primary(op: Operation) -> dict[str, Any]:
    name = str(op.body[op.name])
    if name in ("admin", "config", "local"):
        raise CommandError("InvalidOptions", f"Can't move primary for {name} database")
    where = op.catalog.database(name)
    if where is None:
        raise CommandError("NamespaceNotFound", f"database {name} not found")
    body = {"_shardsvrMovePrimary": name, "to": op.body["to"], "$db": "admin", "writeConcern": MAJORITY,
            "databaseVersion": where.version}  # fmt: skip
    reply = op.grid.call(op.grid.shard(where.primary), body, op.deadline)
    op.catalog.forget_database(name)
    return reply


def on_primary_shard(internal: str, **fields: Any) -> Handler:
    """A handler that sends `internal` to the database's primary shard, e.g. `_shardsvrDropCollection` for `drop`."""

    def handler(op: Operation) -> dict[str, Any]:
        def attempt() -> dict[str, Any]:
            where = op.catalog.database(op.db)
            if where is None:
                return _missing(op)
            body = op.without_session(writeConcern=MAJORITY, databaseVersion=where.version, **fields)
            body = {internal: body.pop(op.name), **body}
            return op.grid.call(op.grid.shard(where.primary), body, op.deadline)

        reply = _retargeted_database(op, attempt)
        op.catalog.forget_database(op.db)
        return reply

    return handler


def drop_database(op: Operation) -> dict[str, Any]:
    if op.db in ("admin", "config"):
        raise CommandError("IllegalOperation", f"Cannot drop the {op.db} database")
    reply = on_primary_shard("_shardsvrDropDatabase")(op)
    return {"dropped": op.db, **reply} if reply.get("ok") else reply


def _missing(op: Operation) -> dict[str, Any]:
    if op.name == "dropDatabase":
        return {"ok": 1.0}
    raise CommandError("NamespaceNotFound", f"ns not found: database {op.db} does not exist")


def _retargeted_database(op: Operation, attempt: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    from .errors import is_stale
    from .operation import STALE_TRIES

    for _ in range(STALE_TRIES):
        reply = attempt()
        if not is_stale(reply):
            break
        op.catalog.forget_database(op.db)
    return reply


def list_collections(op: Operation) -> dict[str, Any]:
    """`listCollections`: the database's primary shard knows every collection."""
    only_known = not op.login.may(Need("listCollections", (op.db, "")))
    if only_known:
        op.body["cursor"] = {}  # all names in one batch, so that all are looked through
    if op.db in ("config", "admin"):
        of_config = _keep_cursor(op, op.on_config(op.forwarded(), Retry.IDEMPOTENT))
        return _known_to(op, of_config) if only_known else of_config

    def attempt() -> dict[str, Any]:
        where = op.catalog.database(op.db)
        if where is None:
            return {"cursor": {"id": 0, "ns": f"{op.db}.$cmd.listCollections", "firstBatch": []}, "ok": 1.0}
        body = op.forwarded(databaseVersion=where.version)
        reply = op.grid.call(op.grid.shard(where.primary), body, op.deadline, Retry.IDEMPOTENT)
        return _keep_cursor(op, reply)

    reply = _retargeted_database(op, attempt)
    return _known_to(op, reply) if only_known else reply


def _known_to(op: Operation, reply: Mapping[str, Any]) -> dict[str, Any]:
    """`listCollections` of a user who may not list: only what it may do something with."""
    if not reply.get("ok"):
        return dict(reply)
    cursor, privileges = reply["cursor"], op.login.privileges()
    known = [found for found in cursor["firstBatch"] if privileges.names(op.db, found["name"])]
    return {**reply, "cursor": {**cursor, "id": Int64(0), "firstBatch": known}}


def list_indexes(op: Operation) -> dict[str, Any]:
    """`listIndexes`: of a shard that owns chunks; one that owns none may hold none."""
    if op.db in ("config", "admin"):
        return _keep_cursor(op, op.on_config(op.forwarded(), Retry.IDEMPOTENT))

    def attempt() -> dict[str, Any]:
        where = op.where_is()
        if where is None:
            raise CommandError("NamespaceNotFound", f"ns does not exist: {op.namespace}")
        shard = where.shards[0] if isinstance(where, Table) else where.primary
        return _keep_cursor(op, op.on_shard(shard, op.forwarded(), where, Retry.IDEMPOTENT), versions(shard, where))

    return op.retargeted(attempt)


# -- collections


def create(op: Operation) -> dict[str, Any]:
    """`create`: on the database's primary shard; it becomes sharded by `shardCollection`."""
    if op.db in ("config", "admin"):
        return op.on_config(op.with_write_concern(op.forwarded()))

    def attempt() -> dict[str, Any]:
        where = op.catalog.ensure_database(op.db)
        body = op.with_write_concern(op.without_session(databaseVersion=where.version))
        return op.grid.call(op.grid.shard(where.primary), body, op.deadline)

    return _retargeted_database(op, attempt)


def create_indexes(op: Operation) -> dict[str, Any]:
    """`createIndexes`: only on shards that own chunks; elsewhere it would make the collection under another UUID."""
    if op.db in ("config", "admin"):
        return op.on_config(op.with_write_concern(op.forwarded()))

    def attempt() -> dict[str, Any]:
        where = op.where_is(create=True)
        assert where is not None  # noqa: S101  create=True
        shards = where.shards if isinstance(where, Table) else [where.primary]
        replies = op.scatter(op.with_write_concern(op.without_session()), where, shards, Retry.NOT_APPLIED)
        raw = {op.grid.shard(shard).name: reply for shard, reply in zip(shards, replies, strict=True)}
        return {"raw": raw, "ok": 1.0, **latest(replies)}

    return op.retargeted(lambda: reply_of(attempt))


def shard_collection(op: Operation) -> dict[str, Any]:
    """`shardCollection: "<db>.<collection>", key: {...}`."""
    namespace = str(op.body[op.name])
    db, _, collection = namespace.partition(".")
    if not collection or not isinstance(op.body.get("key"), Mapping):
        raise CommandError("InvalidNamespace", "shardCollection needs '<db>.<collection>' and a key")

    def attempt() -> dict[str, Any]:
        where = op.catalog.ensure_database(db)
        body: dict[str, Any] = {"_shardsvrCreateCollection": collection, "shardKey": op.body["key"], "$db": db,
                                "unique": bool(op.body.get("unique", False)), "databaseVersion": where.version,
                                "writeConcern": MAJORITY}  # fmt: skip
        for name in ("numInitialChunks", "presplitHashedZones", "collation", "timeseries"):
            if name in op.body:
                body[name] = op.body[name]
        return op.grid.call(op.grid.shard(where.primary), body, op.deadline, Retry.IDEMPOTENT)

    for _ in range(3):
        reply = attempt()
        op.catalog.forget_database(db)
        if reply.get("ok") or reply.get("code") != 249:
            break
    return {"collectionsharded": namespace, **reply} if reply.get("ok") else reply


# -- ranges


def table_of(op: Operation, namespace: str) -> Table:
    op.catalog.forget(namespace)
    table = op.catalog.table(namespace)
    if table is None:
        raise CommandError("NamespaceNotSharded", f"namespace {namespace} is not sharded")
    return table


def move_range(op: Operation) -> dict[str, Any]:
    """`moveRange: "<ns>", toShard, min, max`, and the older `moveChunk`."""
    namespace = str(op.body[op.name])
    body: dict[str, Any] = {"_configsvrMoveRange": namespace, "$db": "admin", "writeConcern": MAJORITY,
                            "toShard": op.body.get("toShard") or op.body.get("to")}  # fmt: skip
    for name in ("min", "max", "waitForDelete", "forceJumbo"):
        if name in op.body:
            body[name] = op.body[name]
    started = time.monotonic()
    if "min" not in body and "max" not in body:
        chunk = chunk_of(op, namespace)
        body["min"], body["max"] = chunk["min"], chunk["max"]
    reply = op.on_config(body)
    op.catalog.forget(namespace)
    return {"millis": int((time.monotonic() - started) * 1000), **reply} if reply.get("ok") else reply


def refine_shard_key(op: Operation) -> dict[str, Any]:
    """`refineCollectionShardKey: "<ns>", key: {...}`, of the collection as it is now."""
    namespace = str(op.body[op.name])
    body = {"_configsvrRefineCollectionShardKey": namespace, "key": op.body.get("key"), "$db": "admin",
            "epoch": table_of(op, namespace).epoch, "writeConcern": MAJORITY}  # fmt: skip
    reply = op.on_config(body)
    op.catalog.forget(namespace)
    return reply


def chunk_of(op: Operation, namespace: str) -> Mapping[str, Any]:
    """The chunk that `find`, `bounds` or `middle` of a command names."""
    table = table_of(op, namespace)
    if "bounds" in op.body:
        low, high = op.body["bounds"]
        return {"min": low, "max": high, "shard": table.shard_of(low)}
    point = op.body.get("find") or op.body.get("middle")
    if not isinstance(point, Mapping):
        raise CommandError("InvalidOptions", f"{op.name} needs one of find, bounds, middle, min")
    from .keys import ordered

    by_bound = "middle" in op.body
    if by_bound and set(point) != set(table.fields):
        raise CommandError("BadValue", f"{op.name} at a key that is not of the form of the shard key {table.fields}")
    place = tuple(ordered(point[name]) for name, _ in table.key) if by_bound else table.place_of(point)
    chunks = op.grid.config_find("chunks", {"uuid": table.uuid})
    inside = [chunk for chunk in chunks if tuple(ordered(chunk["min"][name]) for name, _ in table.key) <= place]
    return max(inside, key=lambda chunk: tuple(ordered(chunk["min"][name]) for name, _ in table.key))


def split(op: Operation) -> dict[str, Any]:
    """`split: "<ns>"` at `middle`, or in the middle of the chunk that `find` or `bounds` names."""
    namespace = str(op.body[op.name])
    table, chunk = table_of(op, namespace), chunk_of(op, namespace)
    shard = op.grid.shard(chunk["shard"])
    if "middle" in op.body:
        points = [op.body["middle"]]
    else:
        vector = {"splitVector": namespace, "keyPattern": dict(table.key), "min": chunk["min"], "max": chunk["max"],
                  "force": True, "$db": "admin"}  # fmt: skip
        points = checked(op.grid.call(shard, vector, op.deadline))["splitKeys"]
    if not points:
        raise CommandError("IllegalOperation", "the chunk has too few documents to be split")
    body = {"splitChunk": namespace, "from": chunk["shard"], "keyPattern": dict(table.key), "min": chunk["min"],
            "max": chunk["max"], "splitKeys": points, "epoch": table.epoch, "timestamp": table.timestamp,
            "$db": "admin"}  # fmt: skip
    reply = op.grid.call(shard, body, op.deadline)
    op.catalog.forget(namespace)
    return reply


# -- numbers


def collection_stats(op: Operation) -> dict[str, Any]:
    """`collStats`, summed over the owning shards."""

    def attempt() -> dict[str, Any]:
        where = op.where_is()
        if where is None:
            raise CommandError("NamespaceNotFound", f"{op.namespace} not found")
        shards = where.shards if isinstance(where, Table) else [where.primary]
        replies = op.scatter(op.forwarded(), where, shards)
        sums = {name: sum(reply.get(name, 0) for reply in replies) for name in
                ("count", "size", "storageSize", "totalIndexSize", "totalSize", "numOrphanDocs")}  # fmt: skip
        parts = dict(zip(shards, replies, strict=True))
        sums["avgObjSize"] = sums["size"] * int(op.body.get("scale") or 1) // max(sums["count"], 1)
        whole = {name: replies[0][name] for name in ("capped", "scaleFactor", "nindexes") if name in replies[0]}
        if not isinstance(where, Table):
            whole["primary"] = where.primary
        return {"sharded": isinstance(where, Table), "ns": op.namespace, **sums, **whole,
                "indexSizes": _added(reply.get("indexSizes") or {} for reply in replies),
                "nchunks": len(where.lows) if isinstance(where, Table) else 1, "shards": parts, "ok": 1.0}  # fmt: skip

    return op.retargeted(lambda: reply_of(attempt))


def _added(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Numbers by name, added up."""
    sums: dict[str, int] = {}
    for part in parts:
        for name, number in part.items():
            sums[name] = sums.get(name, 0) + number
    return sums


def database_stats(op: Operation) -> dict[str, Any]:
    """`dbStats`, summed over the shards."""
    body = op.without_session()
    parts = {}
    for name, shard in op.grid.shards.items():
        parts[shard.name or name] = checked(op.grid.call(shard, body, op.deadline, Retry.IDEMPOTENT))
    names = ("collections", "views", "objects", "dataSize", "storageSize", "indexes", "indexSize", "totalSize")
    sums = {name: sum(part.get(name, 0) for part in parts.values()) for name in names}
    average = sums["dataSize"] * int(op.body.get("scale") or 1) / max(sums["objects"], 1)
    return {"raw": parts, "db": op.db, **sums, "avgObjSize": average, "ok": 1.0}


def validate(op: Operation) -> dict[str, Any]:
    """`validate` on every owning shard."""
    where = op.where_is()
    if where is None:
        raise CommandError("NamespaceNotFound", f"{op.namespace} not found")
    shards = where.shards if isinstance(where, Table) else [where.primary]
    parts = {}
    for shard in shards:
        reply = op.grid.call(op.grid.shard(shard), op.without_session(), op.deadline)
        if not reply.get("ok"):
            raise MemberError(reply)
        parts[shard] = reply
    return {"valid": all(part["valid"] for part in parts.values()), "raw": parts, "ok": 1.0}

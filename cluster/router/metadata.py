"""Databases, collections, indexes, shards, ranges, zones, the balancer: what changes or shows the cluster's metadata.

Each handler turns a command of a mongos into the internal command that a mongos would send.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bson import Int64

from .access import Need
from .chunks import Table
from .continuing import keep_cursor
from .errors import CommandError
from .operation import Operation, latest, reply_of, versions
from .shards import MAJORITY, Retry, checked

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
        of_config = keep_cursor(op, op.on_config(op.forwarded(), Retry.IDEMPOTENT))
        return _known_to(op, of_config) if only_known else of_config

    def attempt() -> dict[str, Any]:
        where = op.catalog.database(op.db)
        if where is None:
            return {"cursor": {"id": 0, "ns": f"{op.db}.$cmd.listCollections", "firstBatch": []}, "ok": 1.0}
        body = op.forwarded(databaseVersion=where.version)
        reply = op.grid.call(op.grid.shard(where.primary), body, op.deadline, Retry.IDEMPOTENT)
        return keep_cursor(op, reply)

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
        return keep_cursor(op, op.on_config(op.forwarded(), Retry.IDEMPOTENT))

    def attempt() -> dict[str, Any]:
        where = op.where_is()
        if where is None:
            raise CommandError("NamespaceNotFound", f"ns does not exist: {op.namespace}")
        shard = where.shards[0] if isinstance(where, Table) else where.primary
        return keep_cursor(op, op.on_shard(shard, op.forwarded(), where, Retry.IDEMPOTENT), versions(shard, where))

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

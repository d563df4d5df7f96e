"""What a DBA asks of a cluster now and then: what runs, what to stop, a collection renamed, ranges merged."""

from collections.abc import Mapping
from typing import Any

from .chunks import Table
from .errors import CommandError
from .operation import Operation, latest
from .ranges import chunk_of, table_of
from .shards import MAJORITY, Retry, checked


def current_op(op: Operation) -> dict[str, Any]:
    """`currentOp`: `$currentOp` on every shard; what is not an option of it is a filter."""
    given = dict(op.body)
    stage = {"allUsers": not given.pop("$ownOps", False), "idleConnections": bool(given.pop("$all", False))}
    filters = {name: value for name, value in list(given.items())[1:]
               if not name.startswith("$") and name not in ("lsid", "comment", "maxTimeMS")}  # fmt: skip
    command = {"clusterAggregate": 1, "pipeline": [{"$currentOp": stage}, {"$match": filters}], "cursor": {},
               "readConcern": {"level": "local"}, "$db": "admin"}  # fmt: skip
    reply = checked(op.through_cluster(command))
    return {"inprog": reply["cursor"]["firstBatch"], "ok": 1.0}


def kill_op(op: Operation) -> dict[str, Any]:
    """`killOp: 1, op: "<shard>:<number>"`."""
    target = op.body.get("op")
    if not isinstance(target, str):
        raise CommandError("NoSuchKey" if target is None else "TypeMismatch", 'Did not provide "op" field')
    name, _, number = target.partition(":")
    if not number.lstrip("-").isdigit():
        raise CommandError(
            "BadValue", f'The op argument to killOp must be of the format shardid:opid but found "{target}"'
        )
    checked(op.grid.call(op.grid.shard(name), {"killOp": 1, "op": int(number), "$db": "admin"}, op.deadline))
    return {"shard": name, "shardid": int(number), "ok": 1.0}


def list_commands(op: Operation) -> dict[str, Any]:
    from .commands import ADMIN_ONLY, COMMANDS

    commands = {
        name: {
            "help": "",
            "requiresAuth": command.needs is not None,
            "secondaryOk": True,
            "adminOnly": name in ADMIN_ONLY,
        }
        for name, command in sorted(COMMANDS.items())
    }
    return {"commands": commands, "ok": 1.0}


def set_parameter(op: Operation) -> dict[str, Any]:
    """`setParameter` of the router itself: the stand-in has a log level and nothing else to set."""
    names = [name for name in list(op.body)[1:] if not name.startswith("$") and name not in ("lsid", "comment")]
    for name in names:
        if name != "logLevel":
            raise CommandError("InvalidOptions", f"attempted to set unrecognized parameter [{name}]")
    if not names:
        raise CommandError("InvalidOptions", "no option found to set, use help:true to see options")
    return {"was": 0, "ok": 1.0}


def get_shard_version(op: Operation) -> dict[str, Any]:
    """`getShardVersion: "<ns>"`: the newest version among the collection's chunks."""
    table = table_of(op, str(op.body[op.name]))
    version = max(table.versions.values(), key=lambda found: (found.time, found.inc))
    return {"version": version, "versionEpoch": table.epoch, "versionTimestamp": table.timestamp, "ok": 1.0}


def rename_collection(op: Operation) -> dict[str, Any]:
    """`renameCollection: "<ns>", to: "<ns>"`."""
    source, target = str(op.body[op.name]), str(op.body["to"])
    db, _, collection = source.partition(".")
    for namespace in (source, target):
        if not namespace.partition(".")[2]:
            raise CommandError("InvalidNamespace", f"Invalid namespace: {namespace}")
    where = op.catalog.database(db)
    if where is None:
        raise CommandError("NamespaceNotFound", f"database {db} not found")
    body = {"_shardsvrRenameCollection": collection, "to": target, "dropTarget": bool(op.body.get("dropTarget")),
            "databaseVersion": where.version, "writeConcern": MAJORITY, "$db": db}  # fmt: skip
    reply = op.grid.call(op.grid.shard(where.primary), body, op.deadline)
    for name in (db, target.partition(".")[0]):
        op.catalog.forget_database(name)
    return reply


def merge_chunks(op: Operation) -> dict[str, Any]:
    """`mergeChunks: "<ns>", bounds: [low, high]`, on the shard that owns them all."""
    namespace, bounds = str(op.body[op.name]), op.body.get("bounds")
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise CommandError("BadValue", "mergeChunks needs bounds: [low, high]")
    table = table_of(op, namespace)
    name = chunk_of(op, namespace)["shard"]
    body = {"_shardsvrMergeChunks": namespace, "bounds": bounds, "shardName": name, "epoch": table.epoch,
            "timestamp": table.timestamp, "$db": "admin"}  # fmt: skip
    reply = op.grid.call(op.grid.shard(name), body, op.deadline)
    op.catalog.forget(namespace)
    return reply


def clear_jumbo_flag(op: Operation) -> dict[str, Any]:
    """`clearJumboFlag: "<ns>"` with `find` or `bounds`."""
    namespace = str(op.body[op.name])
    table, chunk = table_of(op, namespace), chunk_of(op, namespace)
    body = {"_configsvrClearJumboFlag": namespace, "epoch": table.epoch, "minKey": chunk["min"], "maxKey": chunk["max"],
            "writeConcern": MAJORITY, "$db": "admin"}  # fmt: skip
    return op.on_config(body)


def data_size(op: Operation) -> dict[str, Any]:
    """`dataSize: "<ns>"`: summed over the owning shards."""
    parts = _on_owners(op, str(op.body[op.name]), op.without_session())
    sums = {name: sum(part.get(name, 0) for part in parts.values()) for name in ("size", "numObjects", "millis")}
    return {**sums, "ok": 1.0}


def on_owners(op: Operation) -> dict[str, Any]:
    """A command that every owning shard runs for itself, e.g. `planCacheClear`; answers are kept in `raw`."""
    parts = _on_owners(op, op.namespace, op.without_session())
    return {"raw": parts, "ok": 1.0, **latest(list(parts.values()))}


def _on_owners(op: Operation, namespace: str, body: dict[str, Any]) -> dict[str, Mapping[str, Any]]:
    where = op.catalog.table(namespace) or op.catalog.database(namespace.partition(".")[0])
    if where is None:
        raise CommandError("NamespaceNotFound", f"{namespace} not found")
    shards = where.shards if isinstance(where, Table) else [where.primary]
    return dict(zip(shards, op.scatter(body, where, shards, Retry.IDEMPOTENT), strict=True))

"""Ranges of a sharded collection: split and moved."""

import time
from collections.abc import Mapping
from typing import Any

from .chunks import Table
from .errors import CommandError
from .keys import ordered
from .operation import Operation
from .shards import MAJORITY, checked


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

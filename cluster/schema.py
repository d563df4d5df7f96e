"""The declared collections, applied: created with their validators, sharded, indexed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import OperationFailure

from .collections import COLLECTIONS
from .connections import Client, why
from .declaration import Collection
from .errors import ClusterError
from .together import together
from .wait import NotReady, wait_until

# Sharding takes cluster-wide locks: more at once only wait for each other.
AT_ONCE = 4
LOCK_TIMEOUT_S = 60
# LockBusy, ConflictingOperationInProgress: another collection of the same database is being sharded.
BUSY_CODES = frozenset({46, 117})


@dataclass(frozen=True)
class Existing:
    """What the cluster has now: options by collection, shard key by sharded collection."""

    options: Mapping[str, Mapping[str, Any]]
    shard_keys: Mapping[str, Mapping[str, Any]]


def ensure_collections(routers: Client, database: str, declared: tuple[Collection, ...] = COLLECTIONS) -> bool:
    """Creates, shards and indexes what is missing and updates validators; whether it changed something.

    Raises:
        ClusterError: a collection is sharded by another key than declared, which nothing but a migration may change.
    """
    existing = read_existing(routers, database)
    if not existing.options:
        # Needed before 6.0, harmless later. https://www.mongodb.com/docs/manual/reference/command/enableSharding/
        routers.admin.command("enableSharding", database)
    changed = together(lambda c: ensure_collection(routers, database, c, existing), declared, AT_ONCE)
    return any(changed)


def read_existing(routers: Client, database: str) -> Existing:
    """What is there, through a router."""
    options = {found["name"]: found.get("options", {}) for found in routers[database].list_collections()}
    # 4.4 keeps dropped collections here, marked.
    sharded = routers["config"]["collections"].find({"_id": {"$gt": f"{database}.", "$lt": f"{database}/"}})
    keys = {found["_id"].partition(".")[2]: found["key"] for found in sharded if not found.get("dropped")}
    return Existing(options, keys)


def ensure_collection(routers: Client, database: str, collection: Collection, existing: Existing) -> bool:
    """One collection: validator, shard key, indexes."""
    changed = [
        _ensure_validator(routers, database, collection, existing.options.get(collection.name)),
        _ensure_sharded(routers, database, collection, existing.shard_keys.get(collection.name)),
        _ensure_indexes(routers, database, collection),
    ]
    return any(changed)


def _ensure_validator(
    routers: Client, database: str, collection: Collection, options: Mapping[str, Any] | None
) -> bool:
    if options is None:
        _patiently(routers, database, {"create": collection.name, "validator": collection.validator})
        return True
    if options.get("validator") == collection.validator:
        return False
    _patiently(routers, database, {"collMod": collection.name, "validator": collection.validator})
    return True


def _ensure_sharded(routers: Client, database: str, collection: Collection, current: Mapping[str, Any] | None) -> bool:
    if tuple((current or {}).items()) == collection.shard_key:
        return False
    name = f"{database}.{collection.name}"
    if current is not None:
        raise ClusterError(
            f"{name} is sharded by {dict(current)}, declared is {dict(collection.shard_key)}: "
            "change one of them in a migration."
        )
    _patiently(routers, "admin", {"shardCollection": name, "key": dict(collection.shard_key)})
    return True


def _ensure_indexes(routers: Client, database: str, collection: Collection) -> bool:
    present = {index["name"] for index in routers[database][collection.name].list_indexes()}
    missing = [index.spec() for index in collection.indexes if index.name not in present]
    if missing:
        _patiently(routers, database, {"createIndexes": collection.name, "indexes": missing})
    return bool(missing)


def _patiently(routers: Client, database: str, command: dict[str, Any]) -> None:
    """Runs a command that waits for its turn.

    Raises:
        WaitTimeout: the turn did not come within a minute.
    """

    def probe() -> None:
        try:
            routers[database].command(command)
        except OperationFailure as error:
            if error.code not in BUSY_CODES:
                raise
            raise NotReady(why(error)) from error

    name, target = next(iter(command.items()))
    wait_until(f"{name} of {target}", probe, LOCK_TIMEOUT_S)

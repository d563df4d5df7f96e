"""Where documents live: one table per namespace, read from the config servers' metadata."""

import bisect
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson import ObjectId, Timestamp

from .errors import CommandError
from .keys import HIGHEST, LOWEST, Bound, UnsupportedKey, equalities, field_of, hash_of, ordered
from .shards import Grid

NO_CHUNKS = Timestamp(0, 0)
UNSHARDED_VERSION = {"e": ObjectId("0" * 24), "t": Timestamp(0, 0), "v": Timestamp(0, 0)}
# Past so many combinations of `$in` values a filter is sent everywhere instead.
MAX_POINTS = 1_000


@dataclass(frozen=True)
class Database:
    """A database's primary shard, and the version by which a shard knows that a router knows."""

    name: str
    primary: str
    version: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """The chunks of a sharded collection, sorted: chunk `i` holds keys from `lows[i]` on and is on `owners[i]`."""

    namespace: str
    uuid: Any
    key: tuple[tuple[str, Any], ...]
    unique: bool
    epoch: ObjectId
    timestamp: Timestamp
    lows: tuple[Bound, ...]
    owners: tuple[str, ...]
    versions: Mapping[str, Timestamp]
    default_collation: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.key)

    @property
    def shards(self) -> list[str]:
        """Shards that own at least one chunk."""
        return sorted(self.versions)

    def shard_version(self, shard: str) -> dict[str, Any]:
        """The version to send with a direct statement: the highest of the shard's chunks, (0, 0) if it has none."""
        return {"e": self.epoch, "t": self.timestamp, "v": self.versions.get(shard, NO_CHUNKS)}

    def shard_of(self, document: Mapping[str, Any]) -> str:
        """The owner of a document with a complete shard key (an absent field counts as null)."""
        return self.owners[bisect.bisect_right(self.lows, self.place_of(document)) - 1]

    def place_of(self, document: Mapping[str, Any]) -> Bound:
        """Where a document's shard key stands among the chunks' bounds.

        Raises: UnsupportedKey for a key that holds a list.
        """
        return tuple(_place(kind, field_of(document, name)) for name, kind in self.key)

    def shards_for(self, query: Mapping[str, Any]) -> list[str]:
        """The shards where a filter's matches can be."""
        try:
            prefixes = self._prefixes(query)
        except UnsupportedKey:
            return self.shards
        if prefixes is None:
            return self.shards
        return sorted({shard for prefix in prefixes for shard in self._between(prefix)})

    def pins_whole_key(self, query: Mapping[str, Any]) -> bool:
        """Whether a filter names one value for every field of the shard key."""
        pins = equalities(query, self.fields)
        return all(len(pins.get(name, ())) == 1 for name in self.fields)

    def _prefixes(self, query: Mapping[str, Any]) -> list[Bound] | None:
        pins = equalities(query, self.fields)
        prefixes: list[Bound] = [()]
        for name, kind in self.key:
            if name not in pins or len(prefixes) * len(pins[name]) > MAX_POINTS:
                break
            prefixes = [(*prefix, _place(kind, value)) for prefix in prefixes for value in pins[name]]
        return None if prefixes == [()] else prefixes

    def _between(self, prefix: Bound) -> tuple[str, ...]:
        missing = len(self.key) - len(prefix)
        first = bisect.bisect_right(self.lows, prefix + (LOWEST,) * missing) - 1
        last = bisect.bisect_right(self.lows, prefix + (HIGHEST,) * missing) - 1
        return self.owners[max(first, 0) : last + 1]


def _place(kind: Any, value: Any) -> tuple[int, Any]:
    if isinstance(value, list):
        raise UnsupportedKey("a list in a shard key")
    return ordered(hash_of(value)) if kind == "hashed" else ordered(value)


def build_table(namespace: str, collection: Mapping[str, Any], chunks: list[Mapping[str, Any]]) -> Table:
    """A table from a document of `config.collections` and its sorted documents of `config.chunks`."""
    versions: dict[str, Timestamp] = {}
    for chunk in chunks:
        shard, version = chunk["shard"], chunk["lastmod"]
        versions[shard] = max(versions.get(shard, NO_CHUNKS), version, key=lambda v: (v.time, v.inc))
    key = tuple(collection["key"].items())
    rows = sorted((tuple(ordered(chunk["min"][name]) for name, _ in key), chunk["shard"]) for chunk in chunks)
    return Table(
        namespace=namespace,
        uuid=collection["uuid"],
        key=key,
        unique=bool(collection.get("unique")),
        epoch=collection["lastmodEpoch"],
        timestamp=collection["timestamp"],
        lows=tuple(low for low, _ in rows),
        owners=tuple(owner for _, owner in rows),
        versions=versions,
        default_collation=bool(collection.get("defaultCollation")),
    )


class Catalog:
    """Tables and databases, read when first asked for and again when a shard says that they are stale."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._lock = threading.Lock()
        self._tables: dict[str, Table | None] = {}
        self._databases: dict[str, Database | None] = {}
        self._unreadable: set[str] = set()

    def table(self, namespace: str) -> Table | None:
        """The table of a namespace; None when it is not sharded (or does not exist)."""
        try:
            return self._tables[namespace]
        except KeyError:
            table = self._read_table(namespace)
            with self._lock:
                self._tables[namespace] = table
            return table

    def database(self, name: str) -> Database | None:
        """A database; None when it does not exist."""
        found = self._databases.get(name)
        if found is None:
            found = self._read_database(name)
            with self._lock:
                self._databases[name] = found
        return found

    def ensure_database(self, name: str, primary: str | None = None) -> Database:
        """A database, created if need be: MongoDB makes one with the first write to it."""
        found = self.database(name)
        if found is not None:
            return found
        command: dict[str, Any] = {"_configsvrCreateDatabase": name, "writeConcern": {"w": "majority"}}
        if primary:
            command["primaryShardId"] = primary
        self._grid.config_call(command)
        self.forget_database(name)
        found = self.database(name)
        if found is None:
            raise CommandError("NamespaceNotFound", f"database {name} was dropped while it was being created")
        return found

    def forget(self, namespace: str) -> None:
        """Read a namespace, and its database, anew at the next use."""
        with self._lock:
            self._tables.pop(namespace, None)
            self._databases.pop(namespace.partition(".")[0], None)

    def forget_database(self, name: str) -> None:
        """As `forget`, for every namespace of a database."""
        with self._lock:
            self._databases.pop(name, None)
            for namespace in [ns for ns in self._tables if ns.partition(".")[0] == name]:
                del self._tables[namespace]

    def forget_all(self) -> None:
        with self._lock:
            self._tables.clear()
            self._databases.clear()

    def _read_table(self, namespace: str) -> Table | None:
        found = self._grid.config_find("collections", {"_id": namespace})
        if not found or found[0].get("unsplittable"):
            return None
        chunks = self._grid.config_find("chunks", {"uuid": found[0]["uuid"]})
        if not chunks:
            return None
        return build_table(namespace, found[0], chunks)

    def _read_database(self, name: str) -> Database | None:
        found = self._grid.config_find("databases", {"_id": name})
        return Database(name, found[0]["primary"], found[0]["version"]) if found else None

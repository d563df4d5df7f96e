"""What a cluster has of what `cluster/collections.py` and `cluster/roles.py` declare, read through a router."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .connections import Client
from .roles import ADMIN_DATABASE
from .together import together

Document = Mapping[str, Any]

READ_AT_ONCE = 4
# What the server adds to an index by itself.
OF_THE_SERVER = frozenset({"v", "ns", "background"})


@dataclass(frozen=True)
class FoundIndex:
    """An index; `shards` are those that have it, of the shards that hold a range of its collection."""

    name: str
    spec: Document
    shards: frozenset[str]


@dataclass(frozen=True)
class FoundCollection:
    """A collection; `shard_key` is None when it is not sharded."""

    name: str
    options: Document = field(default_factory=dict)
    shard_key: Document | None = None
    indexes: tuple[FoundIndex, ...] = ()

    @property
    def shards(self) -> frozenset[str]:
        """Every shard that holds a range: each has the index on `_id`."""
        return frozenset[str]().union(*(index.shards for index in self.indexes))


@dataclass(frozen=True)
class Found:
    """Everything that `cluster/drift.py` compares; `roles` and `users` are those of `admin`, by name."""

    collections: Mapping[str, FoundCollection]
    roles: Mapping[str, Document] = field(default_factory=dict)
    users: Mapping[str, Document] = field(default_factory=dict)
    concern: Document = field(default_factory=dict)


def read_collections(client: Client, database: str) -> dict[str, FoundCollection]:
    """Every collection of the application with its shard key and indexes, by name."""
    options = {
        found["name"]: found.get("options", {})
        for found in client[database].list_collections()
        if not found["name"].startswith("system.") and found.get("type", "collection") == "collection"
    }
    keys = read_shard_keys(client, database)
    indexes = together(lambda name: read_indexes(client, database, name), options, READ_AT_ONCE)
    return {
        name: FoundCollection(name, options[name], keys.get(name), found)
        for name, found in zip(options, indexes, strict=True)
    }


def read_shard_keys(client: Client, database: str) -> dict[str, Document]:
    """Shard key by sharded collection."""
    # 4.4 keeps dropped collections here, marked.
    sharded = client["config"]["collections"].find({"_id": {"$gt": f"{database}.", "$lt": f"{database}/"}})
    return {found["_id"].partition(".")[2]: found["key"] for found in sharded if not found.get("dropped")}


def read_indexes(client: Client, database: str, collection: str) -> tuple[FoundIndex, ...]:
    """The indexes of a collection on every shard that holds a range of it; `listIndexes` asks only one of them."""
    specs: dict[str, list[tuple[str, Document]]] = {}
    for row in client[database][collection].aggregate([{"$indexStats": {}}]):
        spec = {name: value for name, value in row["spec"].items() if name not in OF_THE_SERVER}
        # 4.4 names no shard where the collection is not sharded: there is one.
        specs.setdefault(row["name"], []).append((row.get("shard", ""), spec))
    return tuple(
        FoundIndex(name, rows[0][1], frozenset(shard for shard, spec in rows if spec == rows[0][1]))
        for name, rows in sorted(specs.items())
    )


def read_found(client: Client, database: str) -> Found:
    """The whole picture.

    Raises:
        PyMongoError: a shard that holds a part of it does not answer.
    """
    roles = client[ADMIN_DATABASE].command("rolesInfo", 1, showPrivileges=True)["roles"]
    users = client[ADMIN_DATABASE].command("usersInfo", 1)["users"]
    return Found(
        read_collections(client, database),
        {role["role"]: role for role in roles},
        {user["user"]: user for user in users},
        client[ADMIN_DATABASE].command("getDefaultRWConcern"),
    )

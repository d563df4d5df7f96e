"""Changes of collections as pure data: what `init` does, `check --fix` repairs and a migration writes down.

Each knows the server's commands for it and the operation that undoes it. `cluster/apply.py` runs them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bson.json_util import dumps

Document = Mapping[str, Any]

# https://www.mongodb.com/docs/manual/reference/error-codes/
INDEX_NOT_FOUND = 27
NAMESPACE_NOT_FOUND = 26
NAMESPACE_EXISTS = 48


@dataclass(frozen=True)
class Command:
    """One command to a router. An error code of `done` says that there is nothing left to do."""

    database: str
    document: Document
    done: frozenset[int] = frozenset()

    def shell(self) -> str:
        """What a person types into mongosh."""
        return f'db.getSiblingDB("{self.database}").runCommand({dumps(self.document)})'


@dataclass(frozen=True)
class CreateCollection:
    """An empty collection with its validator; sharded when `shard_key` is given."""

    name: str
    shard_key: Document
    validator: Document

    def commands(self, database: str) -> tuple[Command, ...]:
        options = {"validator": self.validator} if self.validator else {}
        create = Command(database, {"create": self.name, **options}, frozenset({NAMESPACE_EXISTS}))
        if not self.shard_key:
            return (create,)
        return (create, *ShardCollection(self.name, self.shard_key).commands(database))

    def undo(self) -> "DropCollection":
        return DropCollection(self.name, self.shard_key, self.validator)


@dataclass(frozen=True)
class DropCollection:
    """Drops a collection that holds nothing; one that holds documents is refused by `apply`."""

    name: str
    shard_key: Document = field(default_factory=dict)
    validator: Document = field(default_factory=dict)

    def commands(self, database: str) -> tuple[Command, ...]:
        return (Command(database, {"drop": self.name}, frozenset({NAMESPACE_NOT_FOUND})),)

    def undo(self) -> CreateCollection:
        return CreateCollection(self.name, self.shard_key, self.validator)


@dataclass(frozen=True)
class ShardCollection:
    """Shards a collection that is not; what it holds stays readable and writable meanwhile."""

    name: str
    shard_key: Document

    def commands(self, database: str) -> tuple[Command, ...]:
        # Needed before 6.0, harmless later. https://www.mongodb.com/docs/manual/reference/command/enableSharding/
        enable = Command("admin", {"enableSharding": database})
        return (enable, Command("admin", {"shardCollection": f"{database}.{self.name}", "key": self.shard_key}))

    def undo(self) -> "UnshardCollection":
        return UnshardCollection(self.name, self.shard_key)


@dataclass(frozen=True)
class UnshardCollection:
    """Brings a sharded collection back to one shard. Servers know how since 8.0."""

    name: str
    shard_key: Document

    def commands(self, database: str) -> tuple[Command, ...]:
        return (Command("admin", {"unshardCollection": f"{database}.{self.name}"}),)

    def undo(self) -> ShardCollection:
        return ShardCollection(self.name, self.shard_key)


@dataclass(frozen=True)
class Reshard:
    """Copies a collection to another shard key. It needs 1.2 times the room and stops writes for up to 2 s at its end.

    https://www.mongodb.com/docs/manual/core/sharding-reshard-a-collection/
    """

    name: str
    shard_key: Document
    before: Document = field(default_factory=dict)

    def commands(self, database: str) -> tuple[Command, ...]:
        return (Command("admin", {"reshardCollection": f"{database}.{self.name}", "key": self.shard_key}),)

    def undo(self) -> "Reshard":
        return Reshard(self.name, self.before, self.shard_key)


@dataclass(frozen=True)
class SetValidator:
    """Replaces a validator and enforces it; `before` is the one that `undo` brings back."""

    name: str
    validator: Document
    before: Document = field(default_factory=dict)

    def commands(self, database: str) -> tuple[Command, ...]:
        strict = {"validationLevel": "strict", "validationAction": "error"}
        return (Command(database, {"collMod": self.name, "validator": self.validator, **strict}),)

    def undo(self) -> "SetValidator":
        return SetValidator(self.name, self.before, self.validator)


@dataclass(frozen=True)
class CreateIndex:
    """Builds an index, e.g. `CreateIndex("tasks", {"key": {"due_at": 1}, "name": "due_at_1"})`."""

    collection: str
    index: Document

    def commands(self, database: str) -> tuple[Command, ...]:
        return (Command(database, {"createIndexes": self.collection, "indexes": [self.index]}),)

    def undo(self) -> "DropIndex":
        return DropIndex(self.collection, self.index)


@dataclass(frozen=True)
class DropIndex:
    """Drops an index by its name."""

    collection: str
    index: Document

    def commands(self, database: str) -> tuple[Command, ...]:
        drop = {"dropIndexes": self.collection, "index": self.index["name"]}
        return (Command(database, drop, frozenset({INDEX_NOT_FOUND, NAMESPACE_NOT_FOUND})),)

    def undo(self) -> CreateIndex:
        return CreateIndex(self.collection, self.index)


Operation = (
    CreateCollection
    | DropCollection
    | ShardCollection
    | UnshardCollection
    | Reshard
    | SetValidator
    | CreateIndex
    | DropIndex
)


def commands_of(operations: tuple[Operation, ...], database: str) -> tuple[Command, ...]:
    """The commands of several operations in order; neighbouring indexes of one collection are built in one scan."""
    joined: list[Command] = []
    for command in (command for operation in operations for command in operation.commands(database)):
        if joined and _both_build(joined[-1], command):
            indexes = [*joined[-1].document["indexes"], *command.document["indexes"]]
            joined[-1] = Command(database, {**joined[-1].document, "indexes": indexes})
        else:
            joined.append(command)
    return tuple(joined)


def _both_build(first: Command, second: Command) -> bool:
    name = first.document.get("createIndexes")
    return name is not None and name == second.document.get("createIndexes")

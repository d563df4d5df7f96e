"""What differs between the declaration and a cluster, with the repair of each difference. Pure.

`init` applies what it may, `check` prints all of it, `check --fix` repairs what is safe, and `migrate new --auto`
writes the rest down.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bson.json_util import dumps

from .collections import COLLECTIONS
from .declaration import Collection, Index
from .found import FoundCollection, FoundIndex
from .operations import (
    CreateCollection,
    CreateIndex,
    DropCollection,
    DropIndex,
    Operation,
    Reshard,
    SetValidator,
    ShardCollection,
    UnshardCollection,
    commands_of,
)

ID_INDEX = "_id_"


@dataclass(frozen=True)
class Difference:
    """One way in which a cluster is not what is declared.

    `says` is a sentence without its full stop; `operations` mend it. A safe one loses nothing and blocks nobody:
    `check --fix` runs it. What is no change of a collection has no operations, and `command` says what to run.
    """

    kind: str
    subject: str
    says: str
    is_safe: bool
    operations: tuple[Operation, ...] = ()
    command: str = ""

    def remedy(self, database: str) -> str:
        """What a person runs to mend it."""
        if self.is_safe:
            return "scripts/cluster check --fix"
        return self.command or "; ".join(command.shell() for command in commands_of(self.operations, database))


def collection_differences(
    found: Mapping[str, FoundCollection], declared: tuple[Collection, ...] = COLLECTIONS
) -> tuple[Difference, ...]:
    """Every difference of collections, their shard keys, validators and indexes, in the order of the declaration."""
    return tuple(_collections(found, declared))


def _collections(found: Mapping[str, FoundCollection], declared: tuple[Collection, ...]) -> Iterator[Difference]:
    for collection in declared:
        present = found.get(collection.name)
        if present is None:
            yield _missing(collection)
        else:
            yield from _differences(collection, present)
    for name in sorted(found.keys() - {collection.name for collection in declared}):
        undeclared = found[name]
        drop = DropCollection(name, undeclared.shard_key or {}, undeclared.options.get("validator", {}))
        yield Difference(
            "undeclared collection",
            name,
            f"the collection {name} is not declared",
            False,
            (drop,),
        )


def _missing(collection: Collection) -> Difference:
    create = CreateCollection(collection.name, dict(collection.shard_key), collection.validator)
    indexes = (CreateIndex(collection.name, index.spec()) for index in collection.indexes)
    says = f"the collection {collection.name} does not exist"
    return Difference("missing collection", collection.name, says, True, (create, *indexes))


def _differences(collection: Collection, found: FoundCollection) -> Iterator[Difference]:
    yield from _validator(collection, found)
    yield from _shard_key(collection, found)
    yield from _indexes(collection, found)


def _validator(collection: Collection, found: FoundCollection) -> Iterator[Difference]:
    options, name = found.options, collection.name
    before = options.get("validator", {})
    mend = (SetValidator(name, collection.validator, before),)
    if not before:
        yield Difference("missing validator", name, f"{name} has no validator", True, mend)
    elif before != collection.validator:
        says = f"{name} has another validator than declared: {_changes(before, collection.validator)}"
        yield Difference("different validator", name, says, True, mend)
    elif (options.get("validationLevel", "strict"), options.get("validationAction", "error")) != ("strict", "error"):
        yield Difference("different validator", name, f"{name} does not enforce its validator", True, mend)


def _changes(found: Mapping[str, Any], declared: Mapping[str, Any]) -> str:
    """Which fields the two validators treat differently."""
    before, after = _properties(found), _properties(declared)
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return ", ".join(names) or "its required fields or its shape"


def _properties(validator: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = validator.get("$jsonSchema", {})
    return dict(schema.get("properties", {})) if isinstance(schema, Mapping) else {}


def _shard_key(collection: Collection, found: FoundCollection) -> Iterator[Difference]:
    name, declared, actual = collection.name, dict(collection.shard_key), found.shard_key
    if collection.is_sharded and actual is None:
        mend: Operation = ShardCollection(name, declared)
        says = f"{name} is not sharded: all of it lies on one shard"
        yield Difference("unsharded collection", name, says, False, (mend,))
    elif collection.is_sharded and actual is not None and list(actual.items()) != list(declared.items()):
        says = f"{name} is sharded by {_json(actual)}, declared is {_json(declared)}"
        yield Difference("different shard key", name, says, False, (Reshard(name, declared, dict(actual)),))
    elif not collection.is_sharded and actual is not None:
        says = f"{name} is sharded by {_json(actual)}, declared is no shard key"
        yield Difference("different shard key", name, says, False, (UnshardCollection(name, dict(actual)),))


def _indexes(collection: Collection, found: FoundCollection) -> Iterator[Difference]:
    present = {index.name: index for index in found.indexes}
    declared = {index.name: index.spec() for index in _declared_indexes(collection)}
    by_key = {_key_of(found_index.spec): found_index for found_index in found.indexes}
    for name, spec in declared.items():
        index = present.get(name) or by_key.get(_key_of(spec))
        yield from _index(collection.name, spec, index, found.shards)
    known = {_key_of(spec) for spec in declared.values()}
    for name, index in present.items():
        if name not in declared and name != ID_INDEX and _key_of(index.spec) not in known:
            says = f"{collection.name} has the index {name} on {_json(index.spec['key'])}, which is not declared"
            mend = (DropIndex(collection.name, index.spec),)
            yield Difference("extra index", f"{collection.name}.{name}", says, False, mend)


def _index(
    collection: str, spec: Mapping[str, Any], found: FoundIndex | None, shards: frozenset[str]
) -> Iterator[Difference]:
    subject, create = f"{collection}.{spec['name']}", CreateIndex(collection, spec)
    if found is None:
        says = f"{collection} has no index on {_json(spec['key'])}"
        yield Difference("missing index", subject, says, True, (create,))
    elif _options(found.spec) != _options(spec):
        says = (
            f"the index {found.name} of {collection} is {_json(_shown(found.spec))}, declared is {_json(_shown(spec))}"
        )
        mend = (DropIndex(collection, found.spec), create)
        yield Difference("different index", subject, says, False, mend)
    elif found.shards < shards:
        where = ", ".join(sorted(shards - found.shards))
        says = f"{collection} has no index on {_json(spec['key'])} on {where}"
        yield Difference("missing index", subject, says, True, (create,))


def _declared_indexes(collection: Collection) -> tuple[Index, ...]:
    """With the one that a shard key needs: from 6.0.12 on a server lets a hashed one be dropped."""
    own = Index(collection.shard_key)
    if not collection.is_sharded or own.keys in {index.keys for index in collection.indexes}:
        return collection.indexes
    return (own, *collection.indexes)


def _key_of(spec: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(spec["key"].items())


def _options(spec: Mapping[str, Any]) -> tuple[Any, ...]:
    """Keys in order, and everything else but the name."""
    return _key_of(spec), {name: value for name, value in spec.items() if name not in ("key", "name")}


def _shown(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name != "name"}


def _json(document: Mapping[str, Any]) -> str:
    return dumps(document)

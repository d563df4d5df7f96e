"""Differences between the declaration and what was found, without a server."""

from dataclasses import replace

import pytest

from cluster.collections import BY_OWNER, COLLECTIONS, TASKS
from cluster.declaration import Collection, Index, document
from cluster.drift import Difference, collection_differences
from cluster.found import FoundCollection, FoundIndex
from cluster.operations import (
    CreateCollection,
    CreateIndex,
    DropCollection,
    DropIndex,
    Operation,
    Reshard,
    SetValidator,
    ShardCollection,
    commands_of,
)

NOTES = Collection("notes", BY_OWNER, document({"_id": {}}), (Index((("at", 1),), expire_after_s=60),))
SHARDS = frozenset({"shard-1", "shard-2"})
KEY = dict(BY_OWNER)


def index(spec: dict[str, object], shards: frozenset[str] = SHARDS) -> FoundIndex:
    return FoundIndex(str(spec["name"]), spec, shards)


AS_DECLARED = FoundCollection(
    "notes",
    {"validator": NOTES.validator},
    KEY,
    (
        index({"key": {"_id": 1}, "name": "_id_"}),
        index(Index(BY_OWNER).spec()),
        index(NOTES.indexes[0].spec()),
    ),
)


def differences(found: FoundCollection | None) -> tuple[Difference, ...]:
    return collection_differences({"notes": found} if found else {}, (NOTES,))


def test_what_is_as_declared_has_no_difference() -> None:
    """The shard key's own index and the one on `_id` belong to it."""
    assert differences(AS_DECLARED) == ()


def test_a_missing_collection_is_one_difference_with_all_of_its_parts() -> None:
    """Not one more for each of its indexes."""
    (found,) = differences(None)

    assert found.kind == "missing collection" and found.is_safe
    assert [type(operation) for operation in found.operations] == [CreateCollection, CreateIndex]


def test_the_order_of_a_shard_key_matters() -> None:
    """`{a, b}` and `{b, a}` spread documents differently."""
    (found,) = differences(replace(AS_DECLARED, shard_key=dict(reversed(KEY.items()))))

    assert found.kind == "different shard key" and isinstance(found.operations[0], Reshard)


def test_the_order_of_an_index_matters_and_its_name_does_not() -> None:
    """An index that somebody made under another name serves as well."""
    renamed = index({**NOTES.indexes[0].spec(), "name": "by_at"})

    assert differences(replace(AS_DECLARED, indexes=(*AS_DECLARED.indexes[:2], renamed))) == ()


def test_another_option_of_an_index_is_a_difference() -> None:
    """A TTL that was changed by hand removes documents at another time."""
    other = index({**NOTES.indexes[0].spec(), "expireAfterSeconds": 5})

    (found,) = differences(replace(AS_DECLARED, indexes=(*AS_DECLARED.indexes[:2], other)))

    assert found.kind == "different index" and not found.is_safe
    assert [type(operation) for operation in found.operations] == [DropIndex, CreateIndex]


def test_a_shard_without_a_range_is_no_difference() -> None:
    """A shard that owns nothing of a collection has none of its indexes, and needs none."""
    alone = tuple(replace(found, shards=frozenset({"shard-1"})) for found in AS_DECLARED.indexes)

    assert differences(replace(AS_DECLARED, indexes=alone)) == ()


def test_an_index_that_one_shard_lacks_is_a_difference() -> None:
    """The other shards of the collection show that it holds a range."""
    partial = replace(AS_DECLARED.indexes[2], shards=frozenset({"shard-1"}))

    (found,) = differences(replace(AS_DECLARED, indexes=(*AS_DECLARED.indexes[:2], partial)))

    assert found.kind == "missing index" and found.says.endswith("on shard-2")


@pytest.mark.parametrize(
    "operation",
    [
        CreateCollection("notes", KEY, NOTES.validator),
        DropCollection("notes", KEY, NOTES.validator),
        ShardCollection("notes", KEY),
        Reshard("notes", KEY, {"_id": "hashed"}),
        SetValidator("notes", NOTES.validator, {}),
        CreateIndex("notes", NOTES.indexes[0].spec()),
        DropIndex("notes", NOTES.indexes[0].spec()),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_undoing_twice_is_the_operation_itself(operation: Operation) -> None:
    """A migration's downgrade leads back to where its upgrade began."""
    assert operation.undo().undo() == operation


def test_indexes_of_one_collection_are_built_in_one_command() -> None:
    """One scan of the collection instead of one an index."""
    operations = tuple(CreateIndex("tasks", index.spec()) for index in TASKS.indexes)

    (command,) = commands_of(operations, "shardboard")

    assert len(command.document["indexes"]) == len(TASKS.indexes)


def test_a_virgin_database_lacks_every_collection() -> None:
    """What `init` does is the same comparison."""
    assert [found.subject for found in collection_differences({})] == [c.name for c in COLLECTIONS]

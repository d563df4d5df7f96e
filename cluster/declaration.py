"""The vocabulary of `cluster/collections.py`: what a declared collection is made of.

Everything here is plain data. `bringup` applies it and `check` compares it; nothing here talks to a server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Keys = tuple[tuple[str, int | str], ...]


@dataclass(frozen=True)
class Index:
    """A secondary index, e.g. `Index((("owner_id", 1), ("_id", 1)))`.

    `expire_after_s` makes it a TTL index: documents go that many seconds after the date in its only key.
    """

    keys: Keys
    expire_after_s: int | None = None

    @property
    def name(self) -> str:
        """The server's default name, e.g. `owner_id_1__id_1`."""
        return "_".join(f"{name}_{direction}" for name, direction in self.keys)

    def spec(self) -> dict[str, Any]:
        """One element of `createIndexes.indexes`."""
        spec: dict[str, Any] = {"key": dict(self.keys), "name": self.name}
        if self.expire_after_s is not None:
            spec["expireAfterSeconds"] = self.expire_after_s
        return spec


@dataclass(frozen=True)
class Collection:
    """A declared collection. `shard_key` is empty for an unsharded one."""

    name: str
    shard_key: Keys
    validator: Mapping[str, Any]
    indexes: tuple[Index, ...] = field(default=())

    @property
    def is_sharded(self) -> bool:
        return bool(self.shard_key)

    @property
    def shard_key_fields(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.shard_key)


# What a value may be in a `$jsonSchema` validator
# https://www.mongodb.com/docs/manual/reference/operator/query/jsonSchema/

OBJECT_ID = {"bsonType": "objectId"}
DATE = {"bsonType": "date"}
BOOL = {"bsonType": "bool"}
OBJECT = {"bsonType": "object"}
ANYTHING: dict[str, Any] = {}


def nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema`, or null."""
    return {"anyOf": [dict(schema), {"bsonType": "null"}]}


def text(most: int, least: int = 0) -> dict[str, Any]:
    """A string of `least` to `most` characters."""
    return {"bsonType": "string", "minLength": least, "maxLength": most}


def integer(least: int | None = None, most: int | None = None) -> dict[str, Any]:
    """A 32- or 64-bit integer within bounds."""
    schema: dict[str, Any] = {"bsonType": ["int", "long"]}
    if least is not None:
        schema["minimum"] = least
    if most is not None:
        schema["maximum"] = most
    return schema


def one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def array(items: Mapping[str, Any], most: int) -> dict[str, Any]:
    """A list of at most `most` items."""
    return {"bsonType": "array", "items": dict(items), "maxItems": most}


def document(
    required: Mapping[str, Any], optional: Mapping[str, Any] | None = None, closed: bool = True
) -> dict[str, Any]:
    """A validator: every required field, perhaps some optional ones and, when `closed`, no other."""
    schema: dict[str, Any] = {
        "bsonType": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }
    if closed:
        schema["additionalProperties"] = False
    return {"$jsonSchema": schema}

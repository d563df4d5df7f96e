"""Shard keys: the hash of a hashed field, the order of BSON values, and what a filter says about a key."""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

# Order and hash of BSON types: canonicalizeBSONType in the server's bson/bsontypes.h
NULL, NUMBER, STRING, OBJECT, ARRAY, BINARY, OBJECT_ID, BOOL, DATE, TIMESTAMP, REGEX, CODE = (
    5, 10, 15, 20, 25, 30, 35, 40, 45, 47, 50, 60,
)  # fmt: skip
MIN_KEY, MAX_KEY = -1, 127

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

Ordered = tuple[int, Any]
Bound = tuple[Ordered, ...]

LOWEST: Ordered = (MIN_KEY, 0)
HIGHEST: Ordered = (MAX_KEY, 0)


class UnsupportedKey(Exception):
    """A value whose place the stand-in does not compute; MongoDB's own router code must do it."""


def ordered(value: Any) -> Ordered:
    """A value that sorts among others as BSON sorts it, e.g. `(15, b"abc")` for a string.

    https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/

    Raises: UnsupportedKey for types that are no sensible shard key.
    """
    if value is None:
        return (NULL, 0)
    if isinstance(value, bool):
        return (BOOL, value)
    if isinstance(value, int | float):
        return (NUMBER, value)
    if isinstance(value, str):
        return (STRING, value.encode())
    if isinstance(value, ObjectId):
        return (OBJECT_ID, value.binary)
    if isinstance(value, DatetimeMS):
        return (DATE, int(value))
    if isinstance(value, Timestamp):
        return (TIMESTAMP, (value.time, value.inc))
    if isinstance(value, MinKey):
        return LOWEST
    if isinstance(value, MaxKey):
        return HIGHEST
    if isinstance(value, bytes):
        return (BINARY, (len(value), getattr(value, "subtype", 0), bytes(value)))
    raise UnsupportedKey(type(value).__name__)


def hash_of(value: Any) -> int:
    """The 64-bit hash that a hashed index holds for a value (BSONElementHasher in the server's db/hasher.cpp)."""
    kind, _ = ordered(value)
    digest = hashlib.md5(struct.pack("<ii", 0, kind) + _hashed_bytes(value), usedforsecurity=False).digest()
    return int(struct.unpack("<q", digest[:8])[0])


def _hashed_bytes(value: Any) -> bytes:
    if value is None or isinstance(value, MinKey | MaxKey):
        return b""
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, int | float):
        return struct.pack("<q", _as_int64(value))
    if isinstance(value, str):
        data = value.encode() + b"\0"
        return struct.pack("<i", len(data)) + data
    if isinstance(value, ObjectId):
        return value.binary
    if isinstance(value, DatetimeMS):
        return struct.pack("<q", int(value))
    if isinstance(value, Timestamp):
        return struct.pack("<II", value.inc, value.time)
    return struct.pack("<iB", len(value), getattr(value, "subtype", 0)) + bytes(value)


def _as_int64(value: int | float) -> int:
    if value != value:  # NaN
        return 0
    return int(min(max(value, INT64_MIN), INT64_MAX))


def field_of(document: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None when absent, as an index sees it.

    Raises: UnsupportedKey when the path crosses a list.
    """
    value: Any = document
    for name in path.split("."):
        if isinstance(value, list):
            raise UnsupportedKey("a list in a shard key")
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def equalities(query: Mapping[str, Any], paths: Iterable[str]) -> dict[str, list[Any]]:
    """What a filter pins of `paths`: `{"owner_id": [x], "_id": [a, b]}` for an equality and an `$in`.

    A path that is absent is not pinned. Only what surely holds for every match is read: a plain value, `$eq`, `$in`,
    and these inside `$and`.
    """
    found: dict[str, list[Any]] = {}
    wanted = set(paths)
    for name, condition in query.items():
        if name == "$and":
            for part in condition:
                found = equalities(part, wanted) | found
        elif name in wanted:
            values = _pinned(condition)
            if values is not None:
                found[name] = values
    return found


def _pinned(condition: Any) -> list[Any] | None:
    if isinstance(condition, Mapping):
        if "$eq" in condition:
            return [condition["$eq"]]
        if "$in" in condition and isinstance(condition["$in"], list):
            values = list(condition["$in"])
            return None if any(isinstance(value, Regex) for value in values) else values
        return None if any(name.startswith("$") for name in condition) or not condition else [condition]
    # An equality with null matches absent fields too; with a list or a pattern it is no equality.
    return None if condition is None or isinstance(condition, list | Regex | Code | DBRef) else [condition]


__all__ = [
    "HIGHEST", "LOWEST", "Binary", "Bound", "Decimal128", "Int64", "RawBSONDocument", "UnsupportedKey", "equalities",
    "field_of", "hash_of", "ordered",
]  # fmt: skip

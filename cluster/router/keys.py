"""Shard keys: the hash of a hashed field, the order of BSON values, and what a filter says about a key."""

import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

# Order and hash of BSON types: canonicalizeBSONType in the server's bson/bsontypes.h
END, NULL, NUMBER, STRING, OBJECT, ARRAY, BINARY, OBJECT_ID, BOOL, DATE, TIMESTAMP, REGEX, CODE, CODE_WITH_SCOPE = (
    0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 47, 50, 60, 65,
)  # fmt: skip
MIN_KEY, MAX_KEY = -1, 127

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
OLD_BINARY = 2
REGEX_FLAGS = ((re.I, "i"), (re.L, "l"), (re.M, "m"), (re.S, "s"), (re.U, "u"), (re.X, "x"))

Ordered = tuple[int, Any]
Bound = tuple[Ordered, ...]

LOWEST: Ordered = (MIN_KEY, 0)
HIGHEST: Ordered = (MAX_KEY, 0)


class UnsupportedKey(Exception):
    """A value that has no place among the ranges of a collection, e.g. a list."""


def ordered(value: Any) -> Ordered:
    """A value that sorts among others as BSON sorts it, e.g. `(15, b"abc")` for a string; equal ones are equal.

    https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/

    Raises: UnsupportedKey for what is no BSON value, or of a type that was given up long ago.
    """
    for types, kind, place in _PLACES:
        if isinstance(value, types):
            return (kind(value), place(value)) if callable(kind) else (kind, place(value))
    raise UnsupportedKey(type(value).__name__)


def _place_of_number(value: Any) -> tuple[bool, Any]:
    number = value.to_decimal() if isinstance(value, Decimal128) else value
    return (False, 0) if number != number else (True, number)  # NaN comes first


def _place_of_code(value: Code) -> Any:
    return value.encode() if value.scope is None else (value.encode(), ordered(value.scope))


def _place_of_binary(value: bytes) -> tuple[int, int, bytes]:
    data = _binary(value)
    return (len(data), getattr(value, "subtype", 0), data)


def _place_of_object(value: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple((kind, name.encode(), place) for name, (kind, place) in _fields(value))


def _fields(value: Mapping[str, Any]) -> list[tuple[str, Ordered]]:
    return [(name, ordered(part)) for name, part in value.items()]


def _binary(value: bytes) -> bytes:
    """The payload as BSON holds it: one of the old subtype repeats its length inside."""
    return struct.pack("<i", len(value)) + value if getattr(value, "subtype", 0) == OLD_BINARY else bytes(value)


def _regex(value: Regex[Any]) -> bytes:
    pattern = value.pattern if isinstance(value.pattern, bytes) else value.pattern.encode()
    return pattern + b"\0" + "".join(letter for flag, letter in REGEX_FLAGS if value.flags & flag).encode() + b"\0"


# Subclasses before their classes: a bool is an int, a Code is a str.
_PLACES: tuple[tuple[Any, Any, Callable[[Any], Any]], ...] = (
    (type(None), NULL, lambda value: 0),
    (bool, BOOL, lambda value: value),
    ((int, float, Decimal128), NUMBER, _place_of_number),
    (Code, lambda value: CODE if value.scope is None else CODE_WITH_SCOPE, _place_of_code),
    (str, STRING, lambda value: value.encode()),
    (ObjectId, OBJECT_ID, lambda value: value.binary),
    (DatetimeMS, DATE, int),
    (Timestamp, TIMESTAMP, lambda value: (value.time, value.inc)),
    (MinKey, MIN_KEY, lambda value: 0),
    (MaxKey, MAX_KEY, lambda value: 0),
    (bytes, BINARY, _place_of_binary),
    (Regex, REGEX, _regex),
    (Mapping, OBJECT, _place_of_object),
    (list, ARRAY, lambda value: tuple(ordered(part) for part in value)),
)


def hash_of(value: Any) -> int:
    """The 64-bit hash that a hashed index holds for a value (BSONElementHasher in the server's db/hasher.cpp)."""
    digest = hashlib.md5(struct.pack("<i", 0) + _hashed(value), usedforsecurity=False).digest()
    return int(struct.unpack("<q", digest[:8])[0])


def _hashed(value: Any, name: bytes = b"") -> bytes:
    """What is hashed of a value: its type, its name where it is part of another one, its bytes."""
    return struct.pack("<i", ordered(value)[0]) + name + _hashed_bytes(value)


def _hashed_bytes(value: Any) -> bytes:
    if value is None or isinstance(value, MinKey | MaxKey):
        return b""
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, int | float | Decimal128):
        return struct.pack("<q", _as_int64(value))
    if isinstance(value, Code) and value.scope is not None:
        return value.encode() + b"\0" + _hashed_bytes(value.scope)
    if isinstance(value, str):
        data = value.encode() + b"\0"
        return struct.pack("<i", len(data)) + data
    if isinstance(value, ObjectId):
        return value.binary
    if isinstance(value, DatetimeMS):
        return struct.pack("<q", int(value))
    if isinstance(value, Timestamp):
        return struct.pack("<II", value.inc, value.time)
    if isinstance(value, Regex):
        return _regex(value)
    if isinstance(value, Mapping | list):
        return _hashed_parts(value)
    data = _binary(value)
    return struct.pack("<iB", len(data), getattr(value, "subtype", 0)) + data


def _hashed_parts(value: Mapping[str, Any] | list[Any]) -> bytes:
    """Of a document, or of a list (a document whose names are the positions); its end counts as a part."""
    parts = value.items() if isinstance(value, Mapping) else ((str(place), part) for place, part in enumerate(value))
    return b"".join(_hashed(part, name.encode() + b"\0") for name, part in parts) + struct.pack("<i", END)


def _as_int64(value: float | Decimal128) -> int:
    number = value.to_decimal() if isinstance(value, Decimal128) else value
    if number != number:  # NaN
        return 0
    if isinstance(number, float) and number == INT64_MAX + 1:
        return INT64_MIN  # the one double that the server lets overflow
    bounded = min(max(number, INT64_MIN), INT64_MAX)
    return int(bounded) if isinstance(bounded, int | float) else round(bounded)  # decimals go to the next even number


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
        if name == "$and" and isinstance(condition, list):
            for part in (part for part in condition if isinstance(part, Mapping)):
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

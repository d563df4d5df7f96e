"""What the fields of commands must be: a wrong type is refused before anything is forwarded, as a mongos does."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bson import Binary

from .errors import CommandError


@dataclass(frozen=True)
class Shape:
    """A kind of value. `least` is the least number, `each` what a list holds, `fields` what a document does."""

    name: str
    types: tuple[type, ...]
    least: int | None = None
    required: bool = False
    each: "Shape | None" = None
    fields: Mapping[str, "Shape"] = field(default_factory=dict)


def list_of(each: Shape) -> Shape:
    return Shape("array", (list,), required=True, each=each)


def document_of(**fields: Shape) -> Shape:
    return Shape("object", (Mapping,), fields=fields)


DOCUMENT = Shape("object", (Mapping,))
LIST = Shape("array", (list,))
NEEDED_LIST = Shape("array", (list,), required=True)
NUMBER = Shape("number", (int, float))
COUNT = Shape("number", (int, float), least=0)
TRUTH = Shape("bool", (bool, int, float))
TEXT = Shape("string", (str,))
NEEDED_TEXT = Shape("string", (str,), required=True)

NEEDED_DOCUMENT = Shape("object", (Mapping,), required=True)
INTEGER = Shape("long", (int,), least=0)
SESSION = document_of(id=Shape("UUID", (Binary,), required=True))
STATEMENT = document_of(q=NEEDED_DOCUMENT, collation=DOCUMENT)

# Of every command, where it has them.
COMMON = {"readConcern": DOCUMENT, "writeConcern": DOCUMENT, "lsid": SESSION, "$readPreference": DOCUMENT,
          "collation": DOCUMENT, "txnNumber": INTEGER, "recoveryToken": document_of(recoveryShardId=TEXT)}  # fmt: skip
_FIND_AND_MODIFY = {"query": DOCUMENT, "sort": DOCUMENT, "fields": DOCUMENT, "arrayFilters": LIST}

SHAPES: dict[str, Mapping[str, Shape]] = {
    "find": {"filter": DOCUMENT, "sort": DOCUMENT, "projection": DOCUMENT, "let": DOCUMENT, "skip": COUNT,
             "limit": COUNT, "batchSize": COUNT, "singleBatch": TRUTH},
    "aggregate": {"pipeline": list_of(DOCUMENT), "let": DOCUMENT, "cursor": DOCUMENT},
    "count": {"query": DOCUMENT, "skip": COUNT, "limit": NUMBER},
    "distinct": {"key": NEEDED_TEXT, "query": DOCUMENT},
    "explain": {"explain": DOCUMENT, "verbosity": TEXT},
    "getMore": {"getMore": Shape("long", (int,)), "maxTimeMS": COUNT, "collection": NEEDED_TEXT, "batchSize": COUNT},
    "killCursors": {"killCursors": TEXT, "cursors": list_of(Shape("long", (int,)))},
    "insert": {"documents": list_of(DOCUMENT)},
    "update": {"updates": list_of(STATEMENT)},
    "delete": {"deletes": list_of(STATEMENT)},
    "findAndModify": _FIND_AND_MODIFY,
    "findandmodify": _FIND_AND_MODIFY,
    "connectionStatus": {"showPrivileges": TRUTH},
    "refreshSessions": {"refreshSessions": list_of(SESSION)},
    "endSessions": {"endSessions": list_of(SESSION)},
    "killSessions": {"killSessions": list_of(SESSION)},
    "killAllSessions": {"killAllSessions": list_of(document_of(user=NEEDED_TEXT, db=NEEDED_TEXT))},
    "killAllSessionsByPattern": {"killAllSessionsByPattern": list_of(DOCUMENT)},
    "listDatabases": {"filter": DOCUMENT, "nameOnly": TRUTH},
    "listCollections": {"filter": DOCUMENT, "nameOnly": TRUTH, "cursor": DOCUMENT},
    "listIndexes": {"cursor": DOCUMENT},
    "create": {"viewOn": TEXT, "pipeline": LIST},
    "collMod": {"viewOn": TEXT, "pipeline": LIST},
    "createIndexes": {"indexes": NEEDED_LIST},
    "shardCollection": {"shardCollection": TEXT, "key": Shape("object", (Mapping,), required=True)},
    "split": {"split": TEXT, "middle": DOCUMENT, "find": DOCUMENT, "bounds": LIST},
    "moveChunk": {"moveChunk": TEXT, "to": NEEDED_TEXT, "find": DOCUMENT, "bounds": LIST, "min": DOCUMENT,
                  "max": DOCUMENT},
    "movePrimary": {"movePrimary": TEXT, "to": NEEDED_TEXT},
    "renameCollection": {"renameCollection": TEXT, "to": NEEDED_TEXT},
    "enableSharding": {"enableSharding": TEXT, "primaryShard": TEXT},
    "addShard": {"addShard": TEXT},
    "removeShard": {"removeShard": TEXT},
    "getLog": {"getLog": TEXT},
}  # fmt: skip

# What `collMod` may hold beside its name; the member takes anything.
COLL_MOD = {"index", "validator", "validationLevel", "validationAction", "viewOn", "pipeline", "expireAfterSeconds",
            "timeseries", "recordPreImages", "changeStreamPreAndPostImages", "dryRun", "cappedSize", "cappedMax",
            "comment", "maxTimeMS", "apiVersion", "apiStrict", "apiDeprecationErrors", *COMMON}  # fmt: skip


def check(body: Mapping[str, Any]) -> None:
    """Raises: CommandError TypeMismatch, BadValue, Location40414 (a field is missing) or Location40415 (unknown)."""
    name = next(iter(body))
    for given in list(body)[1:] if name == "collMod" else ():
        if given not in COLL_MOD and not given.startswith("$"):
            raise CommandError("Location40415", f"BSON field '{name}.{given}' is an unknown field.")
    _check_fields(name, {**COMMON, **SHAPES.get(name, {})}, body)


def _check_fields(path: str, shapes: Mapping[str, Shape], found: Mapping[str, Any]) -> None:
    for name, shape in shapes.items():
        value = found.get(name)
        if value is not None:
            _check_value(f"{path}.{name}", shape, value)
        elif shape.required:
            raise CommandError("Location40414", f"BSON field '{path}.{name}' is missing but a required field")


def _check_value(path: str, shape: Shape, value: Any) -> None:
    fits = isinstance(value, shape.types) and (not isinstance(value, bool) or bool in shape.types)
    if not fits:
        found = type(value).__name__
        raise CommandError("TypeMismatch", f"BSON field '{path}' is the wrong type '{found}', expected '{shape.name}'")
    if isinstance(value, float) and not math.isfinite(value):
        raise CommandError("BadValue", f"BSON field '{path}' value must be finite, actual value '{value}'")
    if isinstance(value, int | float) and shape.least is not None and value < shape.least:
        raise CommandError("BadValue", f"BSON field '{path}' value must be >= {shape.least}, actual value '{value}'")
    if shape.fields:
        _check_fields(path, shape.fields, value)
    if shape.each is not None:
        for part in value:
            _check_value(path, shape.each, part)

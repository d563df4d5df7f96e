"""What the fields of commands must be: a wrong type is refused before anything is forwarded, as a mongos does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import CommandError


@dataclass(frozen=True)
class Shape:
    """A kind of value. `least` is the least number."""

    name: str
    types: tuple[type, ...]
    least: int | None = None
    required: bool = False


DOCUMENT = Shape("object", (Mapping,))
LIST = Shape("array", (list,))
NEEDED_LIST = Shape("array", (list,), required=True)
NUMBER = Shape("number", (int, float))
COUNT = Shape("number", (int, float), least=0)
TRUTH = Shape("bool", (bool, int, float))
TEXT = Shape("string", (str,))
NEEDED_TEXT = Shape("string", (str,), required=True)

# Of every command, where it has them.
COMMON = {"readConcern": DOCUMENT, "writeConcern": DOCUMENT, "lsid": DOCUMENT, "$readPreference": DOCUMENT,
          "collation": DOCUMENT}  # fmt: skip
_FIND_AND_MODIFY = {"query": DOCUMENT, "sort": DOCUMENT, "fields": DOCUMENT, "arrayFilters": LIST}

SHAPES: dict[str, Mapping[str, Shape]] = {
    "find": {"filter": DOCUMENT, "sort": DOCUMENT, "projection": DOCUMENT, "let": DOCUMENT, "skip": COUNT,
             "limit": COUNT, "batchSize": COUNT, "singleBatch": TRUTH},
    "aggregate": {"let": DOCUMENT, "cursor": DOCUMENT},
    "count": {"query": DOCUMENT, "skip": COUNT, "limit": NUMBER},
    "distinct": {"key": NEEDED_TEXT, "query": DOCUMENT},
    "explain": {"explain": DOCUMENT, "verbosity": TEXT},
    "getMore": {"getMore": NUMBER, "collection": NEEDED_TEXT, "batchSize": COUNT},
    "killCursors": {"killCursors": TEXT, "cursors": NEEDED_LIST},
    "insert": {"documents": NEEDED_LIST},
    "update": {"updates": NEEDED_LIST},
    "delete": {"deletes": NEEDED_LIST},
    "findAndModify": _FIND_AND_MODIFY,
    "findandmodify": _FIND_AND_MODIFY,
    "connectionStatus": {"showPrivileges": TRUTH},
    "refreshSessions": {"refreshSessions": NEEDED_LIST},
    "endSessions": {"endSessions": NEEDED_LIST},
    "killSessions": {"killSessions": NEEDED_LIST},
    "killAllSessions": {"killAllSessions": NEEDED_LIST},
    "killAllSessionsByPattern": {"killAllSessionsByPattern": NEEDED_LIST},
    "listDatabases": {"filter": DOCUMENT, "nameOnly": TRUTH},
    "listCollections": {"filter": DOCUMENT, "nameOnly": TRUTH, "cursor": DOCUMENT},
    "listIndexes": {"cursor": DOCUMENT},
    "createIndexes": {"indexes": NEEDED_LIST},
    "shardCollection": {"shardCollection": TEXT, "key": Shape("object", (Mapping,), required=True)},
    "split": {"split": TEXT, "middle": DOCUMENT, "find": DOCUMENT, "bounds": LIST},
    "moveChunk": {"moveChunk": TEXT, "to": NEEDED_TEXT, "find": DOCUMENT, "bounds": LIST},
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
    for field in list(body)[1:] if name == "collMod" else ():
        if field not in COLL_MOD and not field.startswith("$"):
            raise CommandError("Location40415", f"BSON field '{name}.{field}' is an unknown field.")
    for field, shape in (*COMMON.items(), *SHAPES.get(name, {}).items()):
        value = body.get(field)
        if value is not None:
            _check_value(f"{name}.{field}", shape, value)
        elif shape.required:
            raise CommandError("Location40414", f"BSON field '{name}.{field}' is missing but a required field")


def _check_value(field: str, shape: Shape, value: Any) -> None:
    is_bool = isinstance(value, bool)
    if not isinstance(value, shape.types) or (is_bool and bool not in shape.types):
        found = type(value).__name__
        raise CommandError("TypeMismatch", f"BSON field '{field}' is the wrong type '{found}', expected '{shape.name}'")
    if isinstance(value, int | float) and shape.least is not None and value < shape.least:
        raise CommandError("BadValue", f"BSON field '{field}' value must be >= {shape.least}, actual value '{value}'")

"""`migrate new`: an empty migration, or one written from the drift that `check` sees."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..operations import DropCollection, Operation

WIDTH = 120
EMPTY = '''\
"""{title}."""

from cluster.migrate.db import Db


def upgrade(db: Db) -> None:
    """What changes, in steps that may be repeated: `db.apply(...)`, `db.backfill(...)`."""


def downgrade(db: Db) -> None:
    """The way back."""
'''
WRITTEN = '''\
"""{title}."""

from cluster.migrate.db import Db
from cluster.operations import {imports}


def upgrade(db: Db) -> None:
    """Written from what differed from the declaration."""
{upgrade}


def downgrade(db: Db) -> None:
    """The way back, in the opposite order."""
{downgrade}
'''


def source(message: str, operations: Sequence[Operation]) -> str:
    """The text of a migration file that runs `operations`; of an empty one where there are none."""
    title = message.strip().rstrip(".")
    title = title[:1].upper() + title[1:]
    if not operations:
        return EMPTY.format(title=title)
    back = [operation.undo() for operation in reversed(operations)]
    names = sorted({type(operation).__name__ for operation in (*operations, *back)})
    return WRITTEN.format(
        title=title,
        imports=", ".join(names),
        upgrade="\n".join(_call(operation) for operation in operations),
        downgrade="\n".join(_call(operation) for operation in back),
    )


def _call(operation: Operation) -> str:
    values = [
        getattr(operation, field.name) for field in fields(operation) if field.name not in _only_for_undo(operation)
    ]
    name = type(operation).__name__
    line = f"    db.apply({name}({', '.join(map(_inline, values))}))"
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"            {_literal(value, 12, 1)},\n" for value in values)
    return f"    db.apply(\n        {name}(\n{inner}        )\n    )"


def _only_for_undo(operation: Operation) -> tuple[str, ...]:
    """What is left out of a file, which says both directions."""
    if isinstance(operation, DropCollection):
        return ("shard_key", "validator")
    return ("before",)


def _literal(value: Any, indent: int, after: int) -> str:
    """`value` as a formatter writes it: on one line where it fits, else one element a line."""
    line = _inline(value)
    if indent + len(line) + after <= WIDTH or not isinstance(value, Mapping | list | tuple):
        return line
    pad = " " * (indent + 4)
    if isinstance(value, Mapping):
        rows = [f"{pad}{_text(str(key))}: {_entry(key, item, indent + 4)},\n" for key, item in value.items()]
        return "{\n" + "".join(rows) + " " * indent + "}"
    rows = [f"{pad}{_literal(item, indent + 4, 1)},\n" for item in value]
    return "[\n" + "".join(rows) + " " * indent + "]"


def _entry(key: object, item: Any, indent: int) -> str:
    """The value of a key; what stands before it on its line counts."""
    if indent + len(_text(str(key))) + 2 + len(_inline(item)) + 1 <= WIDTH:
        return _inline(item)
    return _literal(item, indent, WIDTH)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))}: {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    """With double quotes, as the rest of the code."""
    quoted = repr(value)
    return f'"{value}"' if quoted == f"'{value}'" and '"' not in value else quoted

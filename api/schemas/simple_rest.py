"""What a `simple-rest` data provider sends: lists asked for in JSON, and whole records to be written.

https://github.com/marmelab/react-admin/tree/master/packages/ra-data-simple-rest
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from marshmallow import Schema, ValidationError, fields, missing, pre_load

from .base import Strict, own_fields
from .filters import MAX_OFFSET

# An export asks for 1,000 rows at once, whatever a page of the table has.
MAX_ROWS = 1_000
DEFAULT_RANGE = (0, 24)


class _Json(fields.String):
    """A parameter whose text is JSON."""

    format = "json"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": self.format, **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return self.read(orjson.loads(value))
        except orjson.JSONDecodeError:
            raise ValidationError("Must be JSON.") from None

    def read(self, value: Any) -> Any:
        raise NotImplementedError


class SortPair(_Json):
    """`["due_at","DESC"]`, loaded as `-due_at`."""

    format = "sort-pair"

    def read(self, value: Any) -> str:
        if not isinstance(value, list) or len(value) != 2 or not all(isinstance(part, str) for part in value):
            raise ValidationError('Must be a field and a direction, such as ["due_at","ASC"].')
        field, order = value
        if order not in ("ASC", "DESC") or field.startswith("-"):
            raise ValidationError("Must be a field's name and ASC or DESC.")
        return f"-{field}" if order == "DESC" else str(field)


class RowRange(_Json):
    """`[0,24]`, both included, loaded as `(0, 24)`."""

    format = "row-range"

    def read(self, value: Any) -> tuple[int, int]:
        if not isinstance(value, list) or len(value) != 2 or not all(type(part) is int for part in value):
            raise ValidationError("Must be the numbers of the first and the last row, such as [0,24].")
        first, last = value
        if not 0 <= first <= last:
            raise ValidationError("Must begin at 0 or later, and not end before it begins.")
        if first > MAX_OFFSET:
            raise ValidationError(f"Must begin at {MAX_OFFSET} or before: filter the list, or page it by cursor.")
        if last - first >= MAX_ROWS:
            raise ValidationError(f"Must be of {MAX_ROWS} rows at most.")
        return first, last


class Conditions(_Json):
    """`{"status":"pending","id":["..."]}`: what a list can be filtered by, with values instead of text."""

    format = "conditions"

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Must be an object.")
        return value


class Embedded(_Json):
    """`["assignee"]`: the names of what ids stand for, as `expand` adds them; one alone may stand without a list."""

    format = "embedded"

    def __init__(self, names: Sequence[str], **kwargs: Any) -> None:
        name = f'"({"|".join(names)})"'
        metadata = {"pattern": rf"^\[{name}(,{name})*\]$", **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)
        self._names = tuple(names)

    def read(self, value: Any) -> list[str]:
        wanted = [value] if isinstance(value, str) else value
        if not isinstance(wanted, list) or not wanted or not all(each in self._names for each in wanted):
            raise ValidationError(f"Must be a list of some of {', '.join(self._names)}.")
        return list(dict.fromkeys(wanted))


class ProviderQuery(Strict):
    """What `getList`, `getMany` and `getManyReference` ask for."""

    sort = SortPair(
        metadata={"description": "A field that the list can be sorted by, and a direction.", "example": '["id","DESC"]'}
    )
    range = RowRange(
        load_default=DEFAULT_RANGE,
        metadata={
            "description": f"First and last row, at most {MAX_ROWS:,}; the first at most {MAX_OFFSET:,}.",
            "example": "[0,24]",
        },
    )
    filter = Conditions(
        load_default=dict,
        metadata={
            "description": "The list's own filters, with values: a list means any of them, an empty string nothing, "
            '`q` the list\'s search by text. `{"id":["..."]}` alone asks for these.',
            "example": "{}",
        },
    )


def list_query(shown: type[Schema]) -> type[Schema]:
    """The query string of a list of what is `shown`."""
    return type(f"{shown.__name__}ProviderQuery", (ProviderQuery,), _embed(shown))


def item_query(shown: type[Schema]) -> type[Schema]:
    """The query string of one item."""
    return type(f"{shown.__name__}ProviderItemQuery", (Strict,), _embed(shown))


def _embed(shown: type[Schema]) -> dict[str, fields.Field]:
    """`embed`, where there is something that can be."""
    names = [name for name in shown().fields if name not in own_fields(shown)]
    text = f"Add the names of what ids stand for: {', '.join(names)}."
    metadata = {"description": text, "example": f'["{names[0]}"]'} if names else {}
    return {"embed": Embedded(names, metadata=metadata)} if names else {}


def record_of(name: str, written: type[Schema], shown: type[Schema], made: type[Schema]) -> type[Schema]:
    """The body of a whole record, as it is shown, of which `written` is written and the rest is left alone.

    A form sends `null` for a field that was emptied: where that is no value, it means the default that `made` has.
    """
    takes, defaults = written().fields, _defaults(made)
    shows: dict[str, fields.Field] = shown._declared_fields
    only_shown = {each: _read_only(field) for each, field in shows.items() if each not in takes}

    def leave_out(self: Schema, data: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        del self
        return {
            each: defaults[each] if value is None and each in defaults and not takes[each].allow_none else value
            for each, value in data.items()
            if each not in only_shown
        }

    return type(name, (written,), {**only_shown, "leave_out": pre_load(leave_out)})


def _defaults(schema: type[Schema]) -> dict[str, Any]:
    """What fields have that are not sent."""
    found = {name: field.load_default for name, field in schema().fields.items()}
    return {name: value() if callable(value) else value for name, value in found.items() if value is not missing}


def _read_only(field: fields.Field) -> fields.Field:
    made = copy.copy(field)
    made.dump_only, made.required = True, False
    return made

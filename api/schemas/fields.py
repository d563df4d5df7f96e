"""Kinds of values on the wire, stricter than marshmallow's own: what they let through, BSON can hold.

A field that is shown differently from how it is stored has `to_wire`, which `dump` compiles in.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from bson import ObjectId
from marshmallow import Schema, ValidationError, fields, validate

from .. import ids, times

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
# Up to here a double holds every integer.
MAX_EXACT = 2**53 - 1
MAX_NUMBER = 1e300

# As `str.strip` has it: these too are blank.
NOT_BLANK = r"[^\s\u001c-\u001f\u0085]"

_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGITS = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# Some systems list files beside the database's names: this machine's own zone, and one that says "not set".
_TIME_ZONES = frozenset(available_timezones()) - {"localtime", "Factory"}
_PREFERENCE = re.compile(r"[A-Za-z0-9_-]{1,50}", re.ASCII)


def check_text(value: str) -> str:
    """`value`, unless UTF-8 or MongoDB's indexes cannot hold it."""
    if _SURROGATE.search(value) or "\0" in value:
        raise ValidationError("Must be valid Unicode without NUL.")
    return value


class Text(fields.String):
    """A string of `least` to `most` characters, with something else than blanks in it when `least` is over 0."""

    def __init__(self, most: int, least: int = 0, **kwargs: Any) -> None:
        limits = validate.Length(min=least or None, max=most)
        super().__init__(validate=[limits, *kwargs.pop("validate", ())], **kwargs)
        self._blank_allowed = least == 0
        if not self._blank_allowed and not {"pattern", "format"} & self.metadata.keys():
            self.metadata = {**self.metadata, "pattern": NOT_BLANK}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a valid string.")
        if not self._blank_allowed and not value.strip():
            raise ValidationError("Must not be blank.")
        return check_text(value)


class Choice(Text):
    """One of a few words."""

    def __init__(self, *choices: str, **kwargs: Any) -> None:
        super().__init__(50, validate=[validate.OneOf(choices)], **kwargs)


class Int(fields.Integer):
    """A whole number; true, 1.5 and "1" are none. At most 64 bits, or `least` to `most`."""

    def __init__(self, least: int = INT64_MIN, most: int = INT64_MAX, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=[validate.Range(least, most)], **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        # To JSON Schema 2.0 is an integer; larger ones than these have lost digits. RFC 8259, section 6.
        if type(value) is float and value.is_integer() and abs(value) <= MAX_EXACT:
            return int(value)
        if type(value) is not int:
            raise ValidationError("Not a valid integer.")
        return value


class QueryInt(Int):
    """A whole number in a query string, where everything is text."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if not isinstance(value, str) or not _DIGITS.fullmatch(value):
            raise ValidationError("Not a valid integer.")
        return int(value)


class Number(fields.Float):
    """A finite number, kept as a double."""

    rules = {"minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> float:
        if type(value) not in (int, float) or abs(value) > MAX_NUMBER:
            raise ValidationError("Not a valid number.")
        return float(value)


class Flag(fields.Boolean):
    """true or false; 1 and 0 are none, though Python takes them for equal."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise ValidationError("Must be true or false.")
        return value


class QueryFlag(fields.Boolean):
    """`true` or `false` in a query string."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if value not in ("true", "false"):
            raise ValidationError("Must be true or false.")
        return value == "true"


class Instant(fields.AwareDateTime):
    """An RFC 3339 time with an offset, kept to the millisecond and shown in UTC."""

    @staticmethod
    def to_wire(value: datetime | None) -> str | None:
        return None if value is None else times.show(value)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        try:
            return times.parse(value)
        except (ValueError, TypeError):
            raise ValidationError("Must be an RFC 3339 time with an offset, such as 2026-01-31T08:30:00Z.") from None


class Id(fields.String):
    """The id of a user or project: 24 hex digits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": ids.OBJECT_ID_PATTERN, **kwargs.pop("metadata", {})}, **kwargs)

    @staticmethod
    def to_wire(value: ObjectId | None) -> str | None:
        return None if value is None else str(value)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return ids.parse_object_id(value)
        except ids.BadId:
            raise ValidationError("Not a valid id.") from None


class OwnedId(fields.String):
    """The public id of an owned document, shown only. It is made of two fields, so it is given the whole document."""

    of_document = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(dump_only=True, metadata={"pattern": ids.PUBLIC_ID_PATTERN}, **kwargs)

    @staticmethod
    def to_wire(document: Mapping[str, Any]) -> str:
        return ids.public_id(document["owner_id"], document["_id"])


class Expanded(fields.Nested):
    """What an id beside it stands for; shown where `expand` asks for it, see `base.own_fields`."""

    on_demand = True

    def __init__(self, shape: type[Schema]) -> None:
        text = "Where `expand` asks for it. Of what is gone, or not the caller's to see, the id alone."
        super().__init__(shape, dump_only=True, allow_none=True, metadata={"description": text})


class ShortList(fields.List):
    """A list of at most `most` values; a longer one is refused before any of them is looked at."""

    def __init__(self, inner: fields.Field, most: int, **kwargs: Any) -> None:
        super().__init__(inner, validate=[validate.Length(max=most)], **kwargs)
        self._most = most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self._most:
            raise ValidationError(f"Longer than maximum length {self._most}.")
        return super()._deserialize(value, attr, data, **kwargs)


class PublicId(fields.String):
    """The public id of an owned document, read as `(owner_id, _id)`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": ids.PUBLIC_ID_PATTERN}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return ids.parse_public_id(value)
        except ids.BadId:
            raise ValidationError("Not a valid id.") from None


class PersonId(Id):
    """The id of a user, or `me`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={**kwargs.pop("metadata", {}), "pattern": "^(me|[0-9a-f]{24})$"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return value if value == "me" else super()._deserialize(value, attr, data, **kwargs)


class CommaList(fields.List):
    """`a,b,c` in a query string, 1 to `most` values."""

    def __init__(self, inner: fields.Field, most: int = 100, **kwargs: Any) -> None:
        super().__init__(inner, validate=[validate.Length(1, most)], **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        return super()._deserialize(value.split(","), attr, data, **kwargs)


class TimeZone(Text):
    """A name of the IANA time zone database, e.g. `Europe/Berlin`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(64, 1, metadata={"format": "time-zone", **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        name = super()._deserialize(value, attr, data, **kwargs)
        if name not in _TIME_ZONES:
            raise ValidationError("Not a time zone, such as Europe/Berlin or UTC.")
        return name


class Preferences(fields.Dict):
    """A client's own settings: at most 50 plain names, each with a string, a number, true, false or null."""

    rules = {
        "maxProperties": 50,
        "propertyNames": {"pattern": f"^{_PREFERENCE.pattern}$"},
        "additionalProperties": {"type": ["string", "number", "boolean", "null"], "maxLength": 500},
    }

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, dict) or len(value) > 50:
            raise ValidationError("Must be an object of at most 50 names.")
        for name, entry in value.items():
            if not _PREFERENCE.fullmatch(name):
                raise ValidationError("Names are 1 to 50 letters, digits, '-' or '_'.")
            _check_preference(entry)
        return value


def _check_preference(entry: Any) -> None:
    if isinstance(entry, str) and len(entry) <= 500:
        check_text(entry)
    elif type(entry) is int and not INT64_MIN <= entry <= INT64_MAX:
        raise ValidationError("Integers have at most 64 bits.")
    elif not (entry is None or type(entry) in (bool, int, float)):
        raise ValidationError("Values are strings of at most 500 characters, numbers, true, false or null.")


Wire = Callable[[Any], Any]

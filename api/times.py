"""Times: UTC, to the millisecond (what BSON keeps), shown as RFC 3339 with `Z`."""

import re
from datetime import UTC, datetime

# RFC 3339 date-time, offset required. https://www.rfc-editor.org/rfc/rfc3339#section-5.6
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def now() -> datetime:
    """The present, as it will read after a round trip through the database."""
    return to_milliseconds(datetime.now(UTC))


def to_milliseconds(value: datetime) -> datetime:
    """`value` without its microseconds."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def parse(text: str) -> datetime:
    """`2026-01-31T08:30:00+01:00` as a UTC time.

    Raises:
        ValueError: another form, no offset, or no such day or hour.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 time with an offset")
    try:
        return to_milliseconds(datetime.fromisoformat(text.upper()).astimezone(UTC))
    except OverflowError as error:
        raise ValueError("out of range") from error


def show(value: datetime) -> str:
    """`2026-01-31T07:30:00.000Z`."""
    return value.isoformat(timespec="milliseconds")[:23] + "Z"

"""Wire shapes of the older paths in `routes.aliases`: what those bodies hold, beside what ours may.

Times may lack an offset there: they are loaded without one, and the caller's time zone is put in by the route.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from .. import ids
from .accounts import PasswordChange, _password
from .base import Strict, one_of
from .fields import Choice, CommaList, Int, Text, check_text
from .reminders import MAX_EVERY_S, TaskId
from .tasks import TASK_SORTS, TaskCreate, TaskPatch, TaskQuery

# A word as it is compared (lower case, without blanks, `_` and `-`) -> our status
STATUS_WORDS = {
    "pending": "pending",
    "open": "pending",
    "opened": "pending",
    "inprogress": "in_progress",
    "done": "done",
    "completed": "done",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}

_CLOCK = re.compile(r"(\d{1,2})(?::(\d\d))?(?::(\d\d))? ?([ap])?\.?(?:m\.?)?", re.ASCII | re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MAX_LENGTH = 64
# Whoever means a time gives hours; a day alone is due at its end.
END_OF_DAY = time(23, 59, 59)
# Far enough from the ends of the calendar for every time zone.
FIRST_YEAR, LAST_YEAR = 1900, 9998


def status_of(word: str) -> str | None:
    """Our word for a status; None when it is none."""
    return STATUS_WORDS.get(re.sub(r"[\s_-]", "", word.lower()))


class StatusWord(Choice):
    """`Pending`, `Opened`, `Inprogress`, `In Progress`, `Completed`, and our own words."""

    def __init__(self, **kwargs: Any) -> None:
        Text.__init__(self, 50, metadata={"format": "status-word", "example": "Pending"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        found = status_of(super()._deserialize(value, attr, data, **kwargs))
        if found is None:
            raise ValidationError("Must be Pending, Opened, Inprogress, Completed or Cancelled.")
        return found


class Loose(fields.String):
    """A short text that is loaded as something else."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": MAX_LENGTH, **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH:
            raise ValidationError(f"Must be a text of 1 to {MAX_LENGTH} characters.")
        return self.parse(check_text(value))

    def parse(self, text: str) -> Any:
        """Raises ValidationError when it is none of this kind."""
        raise NotImplementedError


class Day(Loose):
    """`2030-12-31`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "date", "example": "2030-12-31"}, **kwargs)

    def parse(self, text: str) -> date:
        return parse_day(text)


class Clock(Loose):
    """`8pm`, `8:30 pm`, `20:30`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "clock", "example": "8pm"}, **kwargs)

    def parse(self, text: str) -> time:
        return parse_clock(text)


class LooseTime(Loose):
    """A day, or a time with or without an offset: `2030-12-31`, `2030-12-31 20:00`, `2030-12-31T20:00:00Z`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "loose-time", "example": "2030-12-31 20:00"}, **kwargs)

    def parse(self, text: str) -> datetime:
        if _DATE.fullmatch(text):
            return datetime.combine(parse_day(text), END_OF_DAY)
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise ValidationError("Must be a day or a time, such as 2030-12-31 or 2030-12-31 20:00.") from None
        parse_day(found.date().isoformat())
        return found


def parse_day(text: str) -> date:
    """Raises ValidationError when it is no day between 1900 and 9998."""
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValidationError("Must be a day such as 2030-12-31.")
    return day


def parse_clock(text: str) -> time:
    """Raises ValidationError when it is no time of day."""
    match = _CLOCK.fullmatch(text.strip())
    if match:
        hour, minute, second = (int(part or 0) for part in match.groups()[:3])
        half = (match[4] or "").lower()
        if half and 1 <= hour <= 12:
            hour = hour % 12 + (12 if half == "p" else 0)
        elif half or match[2] is None:
            hour = 24
        if hour < 24 and minute < 60 and second < 60:
            return time(hour, minute, second)
    raise ValidationError("Must be a time of day, such as 8pm, 8:30 pm or 20:30.")


class Assignee(Loose):
    """A person: the id, or the username."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"example": "ada"}, **kwargs)

    def parse(self, text: str) -> Any:
        try:
            return ids.parse_object_id(text)
        except ids.BadId:
            return text


class AliasTaskCreate(TaskCreate):
    """A task; `due_date` or `deadline` for `due_at`, `assigned_to` for `assignee_id`."""

    status = StatusWord(load_default="pending")
    due_date = LooseTime()
    deadline = LooseTime()
    assigned_to = Assignee()


class AliasTaskPatch(TaskPatch):
    """What is left out stays; the other names are as in `AliasTaskCreate`."""

    status = StatusWord()
    due_date = LooseTime()
    deadline = LooseTime()
    assigned_to = Assignee()


AliasTaskQuery = TaskQuery.from_dict(
    {
        "status": StatusWord(),
        "status__neq": StatusWord(),
        "status__in": CommaList(StatusWord()),
        # `?sort` alone is the default sort.
        "sort": Choice("", *(sign + sort for sort in TASK_SORTS for sign in ("", "-"))),
    },
    name="AliasTaskQuery",
)


class AliasEvent(Strict):
    """An event of a day and a time of day, in the caller's time zone."""

    date = Day(required=True)
    time = Clock(required=True)
    title = Text(200, load_default="")
    venue = Text(200, load_default="", metadata={"example": "Event Venue"})
    address = Text(500, load_default="", metadata={"example": "Event Address"})


class AliasSchedule(Strict):
    """An alert for a task: at `run_at`, every `interval_minutes`, or by `cron` in the caller's time zone."""

    rules = one_of("run_at", "interval_minutes", "cron")

    task_id = TaskId(required=True)
    run_at = LooseTime()
    interval_minutes = Int(1, MAX_EVERY_S // 60)
    cron = Text(100, 9, metadata={"format": "cron"})

    @validates_schema
    def check_one(self, data: dict[str, Any], **_: Any) -> None:
        if len(data.keys() & {"run_at", "interval_minutes", "cron"}) != 1:
            raise ValidationError("Give one of run_at, interval_minutes and cron.", "run_at")


class AliasPasswordChange(PasswordChange):
    """As ours; `old_password` for `current_password`."""

    rules = one_of("current_password", "old_password")

    current_password = _password(metadata={"example": "correct horse 7"})
    old_password = _password()

    @validates_schema
    def check_one(self, data: dict[str, Any], **_: Any) -> None:
        if ("current_password" in data) == ("old_password" in data):
            raise ValidationError("Give either current_password or old_password.", "current_password")

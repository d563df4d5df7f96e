"""Wire shapes of reminders and their schedules."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from .. import ids, schedules, times
from .base import Shown, Strict
from .fields import Choice, Expanded, Id, Instant, Int, OwnedId, PublicId, Text, TimeZone
from .filters import Filter, id_parameter, page_parameters, query_schema
from .names import TaskName

# Shorter ones would be a nuisance; longer ones are a mistake.
MIN_EVERY_S, MAX_EVERY_S = 60, 366 * 24 * 3600

# kind -> the fields that it needs, and those that it may have
KINDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "once": (("at",), ()),
    "interval": (("every_s",), ("starts_at",)),
    "cron": (("cron",), ("tz",)),
}


def _rule_of(kind: str) -> dict[str, Any]:
    """What a schedule of that kind has, and has not."""
    needed, allowed = KINDS[kind]
    others = {name for parts in KINDS.values() for name in (*parts[0], *parts[1])} - {*needed, *allowed}
    return {
        "properties": {"kind": {"const": kind}, **dict.fromkeys(sorted(others), {"not": {}})},
        "required": list(needed),
    }


class Schedule(Strict):
    """When: `once` at a time, at an `interval`, or by `cron`, minute hour day month weekday, in a time zone."""

    rules = {"oneOf": [_rule_of(kind) for kind in KINDS]}

    kind = Choice(*KINDS, required=True)
    at = Instant(metadata={"description": "Of `once`: in the future."})
    every_s = Int(MIN_EVERY_S, MAX_EVERY_S, metadata={"description": "Of `interval`, in seconds."})
    starts_at = Instant(metadata={"description": "Of `interval`: a time it is counted from; the present unless given."})
    cron = Text(100, 9, metadata={"format": "cron", "description": "Of `cron`, such as `0 9 * * 1-5`."})
    tz = TimeZone(metadata={"description": "Of `cron`; UTC unless given."})

    @validates_schema(skip_on_field_errors=False)
    def check_kind(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("kind") not in KINDS:
            return
        needed, allowed = KINDS[data["kind"]]
        for name in needed:
            if name not in data:
                raise ValidationError("Missing data for required field.", name)
        for name in data.keys() - {"kind", *needed, *allowed}:
            raise ValidationError(f"Is not a field of a schedule of kind {data['kind']}.", name)
        if "cron" in data:
            try:
                schedules.parse_cron(data["cron"])
            except schedules.BadCron as error:
                raise ValidationError(str(error), "cron") from None


class ScheduleField(fields.Nested):
    """A schedule within another shape."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Schedule, **kwargs)

    @staticmethod
    def to_wire(value: Mapping[str, Any]) -> dict[str, Any]:
        return {name: times.show(each) if isinstance(each, datetime) else each for name, each in value.items()}


class TaskId(fields.String):
    """The public id of a task, loaded as `(owner_id, _id)`."""

    of_document = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": ids.PUBLIC_ID_PATTERN}, **kwargs)

    @staticmethod
    def to_wire(document: Mapping[str, Any]) -> str:
        return ids.public_id(document["task_owner_id"], document["task_id"])

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return ids.parse_public_id(value)
        except ids.BadId:
            raise ValidationError("Not a valid id.") from None


class State(Choice):
    """What became of it; that a worker has it in hand is nobody's business."""

    @staticmethod
    def to_wire(value: str) -> str:
        return "waiting" if value == "leased" else value


SCHEDULE = {"example": {"kind": "cron", "cron": "0 9 * * 1-5", "tz": "Europe/Berlin"}}


class ReminderCreate(Strict):
    """A new reminder of a task that the caller sees and that is pending or in progress."""

    task_id = TaskId(required=True)
    schedule = ScheduleField(required=True, metadata=SCHEDULE)


class ReminderPatch(Strict):
    """Another schedule, whole; it begins anew."""

    schedule = ScheduleField(metadata=SCHEDULE)


class Reminder(Shown):
    """A reminder as it is shown, alone and in lists."""

    id = OwnedId()
    task_id = TaskId()
    schedule = ScheduleField()
    state = State("waiting", "done", "failed")
    next_run_at = Instant(allow_none=True)
    last_run_at = Instant(allow_none=True)
    runs = Int(0)
    owner_id = Id()
    created_at = Instant()
    updated_at = Instant()
    version = Int(1)
    task = Expanded(TaskName)


# As they are shown.
STATES = ("waiting", "done", "failed")

REMINDER_FILTERS = (
    Filter("state", lambda: Choice(*STATES), ("eq", "neq", "in"), STATES),
    Filter("task_id", lambda: PublicId(), ("eq",)),
    Filter("next_run_at", lambda: Instant(), ("gt", "gte", "lt", "lte", "exists")),
)

ReminderQuery = query_schema(
    "ReminderQuery",
    REMINDER_FILTERS,
    ("id", "next_run_at"),
    {"id": id_parameter(PublicId()), **page_parameters(Reminder)},
)

"""The owned resources, each declared by what sets it apart. `owned` is what they have in common."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from bson import ObjectId

from . import access, expand, owned, reminder_writes, task_writes
from .auth import Principal
from .db import Document
from .errors import Problem, invalid
from .expand import Expansion, Kind
from .ids import public_id
from .owned import Current, Fields, Resource
from .schemas import events as event_shapes
from .schemas import reminders as reminder_shapes
from .schemas import tasks as task_shapes
from .schemas.base import compile_dump
from .schemas.names import TaskName
from .store.events import EVENTS as EVENT_QUERIES
from .store.reminders import REMINDERS as REMINDER_QUERIES
from .store.tasks import TASKS as TASK_QUERIES


def check_task(caller: Principal, owner_id: ObjectId, fields: Fields, current: Current | None) -> None:
    """The project takes it, and the assignee may be one."""
    task_writes.check_people(caller, owner_id, fields, current)


def check_event(caller: Principal, owner_id: ObjectId, fields: Fields, current: Current | None) -> None:
    """It does not end before it starts; a patch that gives one of both is for the database to refuse."""
    if "starts_at" in fields and "ends_at" in fields:
        check_times(fields)


def check_times(event: Fields) -> None:
    """It does not end before it starts."""
    if event["ends_at"] is not None and event["ends_at"] < event["starts_at"]:
        raise invalid("/ends_at", "Must not be before starts_at.")


def times_go_with(fields: Fields) -> Document:
    """Of a patch that gives one of both times, what the other one must be when it is applied."""
    if "starts_at" in fields and "ends_at" not in fields:
        return {"$or": [{"ends_at": None}, {"ends_at": {"$gte": fields["starts_at"]}}]}
    if fields.get("ends_at") is not None and "starts_at" not in fields:
        return {"starts_at": {"$lte": fields["ends_at"]}}
    return {}


def check_reminder(caller: Principal, owner_id: ObjectId, fields: Fields, current: Current | None) -> None:
    """The caller sees the task, which is open, and the schedule is due some day."""
    if "task_id" in fields:
        try:
            task = owned.find_item(TASKS, caller, *fields["task_id"])
        except Problem:
            raise invalid("/task_id", "No task that you can see.") from None
        if task["status"] not in ("pending", "in_progress"):
            raise invalid("/task_id", "The task is closed.")
    reminder_writes.check_schedule(fields)


def _titles(caller: Principal, keys: Sequence[tuple[ObjectId, ObjectId]]) -> dict[Any, dict[str, Any]]:
    """The titles of those tasks that the caller sees."""
    return {key: _dump_title(task) for key, task in owned.find_items(TASKS, caller, keys).items()}


_dump_title = compile_dump(TaskName)

TASKS = Resource(
    noun="task",
    plural="tasks",
    queries=TASK_QUERIES,
    rules=access.OF_TASKS,
    item=task_shapes.Task,
    create=task_shapes.TaskCreate,
    patch=task_shapes.TaskPatch,
    example={"title": "Write the report", "priority": 2, "due_at": "2030-01-31T17:00:00Z", "tags": ["reports"]},
    patch_example={"status": "done"},
    problems=("project_archived",),
    build=task_writes.new_task,
    change=task_writes.change_of,
    check=check_task,
    on_delete=reminder_writes.forget_tasks,
    expansions={"owner": expand.OWNER, "assignee": expand.ASSIGNEE, "project": expand.PROJECT},
)

EVENTS = Resource(
    noun="event",
    plural="events",
    queries=EVENT_QUERIES,
    rules=access.OWNER_ALONE,
    item=event_shapes.Event,
    create=event_shapes.EventCreate,
    patch=event_shapes.EventPatch,
    example={"starts_at": "2030-12-31T20:00:00Z", "venue": "Event Venue", "address": "Event Address"},
    patch_example={"title": "Party"},
    check=check_event,
    goes_with=times_go_with,
    check_whole=check_times,
    expansions={"owner": expand.OWNER},
)

REMINDERS = Resource(
    noun="reminder",
    plural="reminders",
    queries=REMINDER_QUERIES,
    rules=access.OWNER_ALONE,
    item=reminder_shapes.Reminder,
    create=reminder_shapes.ReminderCreate,
    patch=reminder_shapes.ReminderPatch,
    example={"task_id": "A" * 32, "schedule": {"kind": "cron", "cron": "0 9 * * 1-5", "tz": "Europe/Berlin"}},
    patch_example={"schedule": {"kind": "interval", "every_s": 86_400}},
    has_put=False,
    build=reminder_writes.new_reminder,
    change=reminder_writes.change_of,
    check=check_reminder,
    expansions={"task": Expansion(Kind(_titles, lambda key: public_id(*key)), itemgetter("task_owner_id", "task_id"))},
)

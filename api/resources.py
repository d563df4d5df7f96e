"""The owned resources, each declared by what sets it apart. `owned` is what they have in common."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from bson import ObjectId

from . import access, expand, owned, reminder_writes, task_writes
from .auth import Principal
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
    """It does not end before it starts; of a patch that gives one of both, the other is as it was."""
    given = {name: fields[name] for name in ("starts_at", "ends_at") if name in fields}
    if len(given) == 1 and current is not None:
        given = {**current(), **given}
    if given.get("ends_at") is not None and given["ends_at"] < given["starts_at"]:
        raise invalid("/ends_at", "Must not be before starts_at.")


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

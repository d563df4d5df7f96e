"""What a write of a reminder consists of: which task it is of, and when it is due next."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from flask import g

from . import schedules, times
from .db import Document
from .errors import invalid
from .store import outbox
from .store.owned import change, new_document

# What a new schedule begins anew.
UNTOUCHED = {"state": "waiting", "lease_id": None, "lease_until": None}


def new_reminder(owner_id: ObjectId, fields: Mapping[str, Any]) -> Document:
    """A first version of a reminder, as it is stored."""
    now, (task_owner_id, task_id) = times.now(), fields["task_id"]
    own = {"owner_id": owner_id, "task_owner_id": task_owner_id, "task_id": task_id, "last_run_at": None, "runs": 0}
    return new_document({**own, **UNTOUCHED, **_due(fields["schedule"], now)}, owner_id, g.get("request_id"), now)


def change_of(fields: Mapping[str, Any], actor_id: ObjectId) -> list[Document]:
    """The update to another schedule."""
    now = times.now()
    return change({**UNTOUCHED, **_due(fields["schedule"], now)}, actor_id, g.get("request_id"), now)


def forget_tasks(tasks: Sequence[Mapping[str, Any]], author: Mapping[str, Any]) -> None:
    """Have the worker delete the reminders of tasks, whosever they are; in the transaction that deletes the tasks."""
    keys = [{"owner_id": task["owner_id"], "task_id": task["_id"]} for task in tasks]
    outbox.insert_entry("purge_reminders", {"tasks": keys, **author}, times.now())


def check_schedule(fields: Mapping[str, Any]) -> None:
    """Refuse one that is never due."""
    if "schedule" in fields and _due(fields["schedule"], times.now())["next_run_at"] is None:
        raise invalid("/schedule", "Is never due: its times are past, or no day is such.")


def _due(schedule: Mapping[str, Any], now: datetime) -> Document:
    """The schedule with its defaults, and when it is due first."""
    whole = dict(schedule)
    if whole["kind"] == "interval":
        whole.setdefault("starts_at", now)
    elif whole["kind"] == "cron":
        whole.setdefault("tz", "UTC")
    return {"schedule": whole, "next_run_at": schedules.next_run(whole, now)}

"""Sample people, projects, tasks and events, the same each time: many owners, so that every shard holds some."""

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from flask import Flask
from pymongo.errors import DuplicateKeyError

from . import accounts, times
from .commands import COMMAND_MS
from .db import Document, deadline
from .schemas.accounts import UserCreate
from .schemas.base import load
from .store import events, projects, tasks
from .store.owned import new_document
from .task_writes import new_task

PEOPLE = 32
TASKS_EACH = 12

VERBS = ("Write", "Review", "Plan", "Repair", "Order", "Call about", "Measure", "Test", "Paint", "Pack")
THINGS = ("the report", "the pump", "the budget", "the garden", "the printer", "the talk", "the roof", "the invoice")
VENUES = ("Town hall", "Library", "Room 12", "Old mill")


@dataclass(frozen=True)
class Made:
    """How many of each a run has made; a second run makes none."""

    users: int = 0
    projects: int = 0
    tasks: int = 0
    events: int = 0


def run(app: Flask) -> Made:
    """Make what is missing of the sample data. Ids are derived from the owners', so a broken run can be repeated."""
    with app.app_context(), deadline(COMMAND_MS):
        people = [_person(number) for number in range(PEOPLE)]
        owners = [user for user, _ in people]
        return Made(
            sum(new for _, new in people),
            sum(_add(projects.insert_project, project) for project in _projects(owners)),
            sum(_add(tasks.insert_task, task) for task in _tasks(owners)),
            sum(_add(events.insert_event, event) for event in _events(owners)),
        )


def _person(number: int) -> tuple[Document, bool]:
    username = f"demo{number:02}"
    found = accounts.find_by_name(username, None)
    if found is not None:
        return found, False
    # Nobody logs in as one of them: an admin sees their tasks.
    password = secrets.token_urlsafe(18)
    body = {"username": username, "email": f"{username}@example.org", "password": password, "name": f"Demo {number}"}
    return accounts.create_user(load(UserCreate(), body), None), True


def _add(insert: Any, document: Document) -> bool:
    try:
        insert(document)
    except DuplicateKeyError:
        return False
    return True


def _id_of(owner: Document, kind: int, number: int) -> ObjectId:
    """An id that the same owner, kind and number always give."""
    raw = bytearray(owner["_id"].binary)
    raw[4:9] = random.Random(raw.hex()).randbytes(5)
    raw[9:12] = bytes((kind, number // 256, number % 256))
    return ObjectId(bytes(raw))


def _tasks(owners: list[Document]) -> Iterator[Document]:
    at = times.now()
    for owner in owners:
        dice = random.Random(owner["username"])
        for number in range(TASKS_EACH):
            yield {**new_task(owner["_id"], _task_fields(dice, at)), "_id": _id_of(owner, 1, number)}


def _task_fields(dice: random.Random, at: datetime) -> Document:
    due = at + timedelta(days=dice.randint(-10, 30)) if dice.random() < 0.7 else None
    return {
        "title": f"{dice.choice(VERBS)} {dice.choice(THINGS)}",
        "description": "",
        "status": dice.choice(("pending", "pending", "in_progress", "done", "cancelled")),
        "priority": dice.randint(1, 5),
        "position": None,
        "due_at": due,
        "assignee_id": None,
        "project_id": None,
        "tags": ["demo"],
    }


def _projects(owners: list[Document]) -> Iterator[Document]:
    at = times.now()
    for number, owner in enumerate(owners[:4]):
        members = [each["_id"] for each in owners[number + 1 : number + 6]]
        own = {"_id": _id_of(owner, 2, 0), "owner_id": owner["_id"], "member_ids": members, "status": "active"}
        yield new_document({**own, "name": f"Demo project {number}", "description": ""}, owner["_id"], None, at)


def _events(owners: list[Document]) -> Iterator[Document]:
    at = times.now()
    for owner in owners:
        dice = random.Random(owner["email"])
        starts_at = at + timedelta(days=dice.randint(1, 30))
        own = {"_id": _id_of(owner, 3, 0), "owner_id": owner["_id"], "title": f"Talk about {dice.choice(THINGS)}"}
        where = {"venue": dice.choice(VENUES), "address": "", "starts_at": starts_at, "ends_at": None}
        yield new_document({**own, **where}, owner["_id"], None, at)

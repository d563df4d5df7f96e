"""The kinds of work in the outbox. Each takes the payload; each may be broken off and repeated.

One that takes long does a part of it and answers true: there is more.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog
from bson import ObjectId

from .. import accounts, audit, imports, times
from ..db import Document
from ..owned import Resource
from ..projects import MAX_MEMBERS, hide
from ..resources import EVENTS, REMINDERS, TASKS
from ..services import services
from ..store import audit as entries
from ..store import email_tokens, projects, reminders, tasks, users
from ..store.owned import change
from ..store.projects import taken_part_in_by
from .imports import run_import
from .letters import send_letter

log = structlog.get_logger(__name__)

# Of a batch that is one transaction: few enough to hold nobody up for long.
AT_ONCE = 100

Payload = Mapping[str, Any]


def purge_user(payload: Payload) -> None:
    """Remove what a deleted user leaves, the user last; whatever is done already stays done when it is repeated."""
    user_id = payload["user_id"]
    accounts.end_sessions(user_id, "user_deleted")
    email_tokens.delete_tokens_of(user_id)
    imports.forget_all_of(user_id, AT_ONCE)
    for resource in (TASKS, EVENTS, REMINDERS):
        find = partial(resource.queries.find_some_items_of_owner, user_id, AT_ONCE)
        while _delete_some(resource, find, payload):
            pass
    while _unassign_some(user_id, payload):
        pass
    _give_up_projects(user_id, payload)
    _leave_projects(user_id, payload)
    users.delete_user(user_id)
    log.info("user_purged", user_id=str(user_id))


def _delete_some(resource: Resource, find: Callable[[], list[Document]], payload: Payload) -> list[Document]:
    """Remove what `find` finds, in one transaction with the audit entries, which name who asked for it."""

    def work() -> list[Document]:
        found = find()
        if found:
            actor_id, request_id = _author(payload)
            resource.queries.delete_items(found)
            entries.insert_entries([audit.deletion(resource.plural, item, actor_id, request_id) for item in found])
            resource.on_delete(found, {"actor_id": actor_id, "request_id": request_id})
        return found

    return services().connection.in_transaction(work)


def _author(payload: Payload) -> tuple[ObjectId, str | None]:
    """Who asked for this work, by which request: its changes are theirs."""
    return payload["actor_id"], payload["request_id"]


def _give_up_projects(user_id: ObjectId, payload: Payload) -> None:
    """Whoever is deleted owns none, but a process that has not heard of it lets a last one in.

    One with members goes to the first of them: it is theirs as well.
    """
    first, others = {"$arrayElemAt": ["$member_ids", 0]}, {"$slice": ["$member_ids", 1, MAX_MEMBERS]}
    theirs, (actor_id, request_id) = {"owner_id": user_id}, _author(payload)
    while found := projects.list_project_ids_of_owner(user_id, AT_ONCE):
        update = change({}, actor_id, request_id, times.now(), {"owner_id": first, "member_ids": others})
        for project_id in found:
            if projects.update_project(project_id, [theirs, {"member_ids.0": {"$exists": True}}], update) is None:
                author = {"actor_id": actor_id, "request_id": request_id}
                hide(project_id, [theirs, {"member_ids": []}], "detach", author)


def _leave_projects(user_id: ObjectId, payload: Payload) -> None:
    remaining = {"$filter": {"input": "$member_ids", "cond": {"$ne": ["$$this", user_id]}}}
    update = change({}, *_author(payload), times.now(), {"member_ids": remaining}, [user_id])
    for project_id in projects.list_project_ids_of(user_id):
        projects.update_project(project_id, [{"member_ids": user_id}], update)


def _unassign_some(user_id: ObjectId, payload: Payload) -> bool:
    """Take a batch of other people's tasks off this person; whether there were any."""
    found = tasks.find_some_tasks_of_assignee(user_id, AT_ONCE)
    update = change({"assignee_id": None}, *_author(payload), times.now())
    for task in found:
        tasks.unassign_task(task["owner_id"], task["_id"], user_id, update)
    return bool(found)


def leave_project(payload: Payload) -> None:
    """Take a project's tasks off somebody who is no member any more; their own tasks are theirs."""
    project_id, user_id = payload["project_id"], payload["user_id"]
    if projects.find_project(project_id, taken_part_in_by(user_id)) is not None:
        return
    theirs = {"assignee_id": user_id, "owner_id": {"$ne": user_id}}
    while found := tasks.find_some_tasks_of_project(project_id, theirs, AT_ONCE):
        update = change({"assignee_id": None}, *_author(payload), times.now())
        for task in found:
            still = {"project_id": project_id, "assignee_id": user_id}
            tasks.update_task(task["owner_id"], task["_id"], still, update)


def purge_project(payload: Payload) -> None:
    """Detach or delete the tasks of a project, then the project; what is done stays done when it is repeated."""
    project_id = payload["project_id"]
    find = partial(tasks.find_some_tasks_of_project, project_id, {}, AT_ONCE)
    if payload["tasks"] == "delete":
        while _delete_some(TASKS, find, payload):
            pass
    while found := find():
        update = change({"project_id": None}, *_author(payload), times.now())
        for task in found:
            tasks.update_task(task["owner_id"], task["_id"], {"project_id": project_id}, update)
    projects.delete_project(project_id)
    log.info("project_purged", project_id=str(project_id))


def purge_reminders(payload: Payload) -> None:
    """Remove the reminders of deleted tasks."""
    for task in payload["tasks"]:
        find = partial(reminders.find_some_reminders_of_task, task["owner_id"], task["task_id"], AT_ONCE)
        while _delete_some(REMINDERS, find, payload):
            pass


KINDS: dict[str, Callable[[Payload], bool | None]] = {
    "letter": send_letter,
    "import": run_import,
    "purge_user": purge_user,
    "leave_project": leave_project,
    "purge_project": purge_project,
    "purge_reminders": purge_reminders,
}

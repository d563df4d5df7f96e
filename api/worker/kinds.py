"""The kinds of work in the outbox. Each takes the payload; each may be broken off and repeated."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from bson import ObjectId

from .. import accounts, times
from ..store import events, tasks, users
from ..store.owned import change

log = structlog.get_logger(__name__)

UNASSIGNED_AT_ONCE = 200

Payload = Mapping[str, Any]


def send_letter(payload: Payload) -> None:
    """Hand a letter to the sink of development: the log. It names the letter and the person's id, no content."""
    log.info("letter", letter=payload["letter"], user_id=str(payload["user_id"]))


def purge_user(payload: Payload) -> None:
    """Remove what a deleted user leaves, the user last; whatever is done already stays done when it is repeated."""
    user_id = payload["user_id"]
    accounts.end_sessions(user_id, "user_deleted")
    tasks.delete_tasks_of_owner(user_id)
    events.delete_events_of_owner(user_id)
    while _unassign_some(user_id):
        pass
    users.delete_user(user_id)
    log.info("user_purged", user_id=str(user_id))


def _unassign_some(user_id: ObjectId) -> bool:
    """Take a batch of other people's tasks off this person; whether there were any."""
    found = tasks.find_some_tasks_of_assignee(user_id, UNASSIGNED_AT_ONCE)
    update = change({"assignee_id": None}, None, None, times.now())
    for task in found:
        tasks.unassign_task(task["owner_id"], task["_id"], user_id, update)
    return bool(found)


KINDS: dict[str, Callable[[Payload], None]] = {"letter": send_letter, "purge_user": purge_user}

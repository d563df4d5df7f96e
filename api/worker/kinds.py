"""The kinds of work in the outbox. Each takes the payload and answers whether it is finished; each may be repeated."""

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


def send_letter(payload: Payload) -> bool:
    """Hand a letter to the sink of development: the log. It names the letter and the person's id, no content."""
    log.info("letter", letter=payload["letter"], user_id=str(payload["user_id"]))
    return True


def purge_user(payload: Payload) -> bool:
    """Remove what a deleted user leaves, the user last; whatever is done already stays done when it is repeated."""
    user_id = payload["user_id"]
    accounts.end_sessions(user_id, "user_deleted")
    tasks.delete_tasks_of_owner(user_id)
    events.delete_events_of_owner(user_id)
    if not _unassign_some(user_id):
        return False
    users.delete_user(user_id)
    log.info("user_purged", user_id=str(user_id))
    return True


def _unassign_some(user_id: ObjectId) -> bool:
    """Take a batch of other people's tasks off this person; whether none is left."""
    found = tasks.find_some_tasks_of_assignee(user_id, UNASSIGNED_AT_ONCE)
    update = change({"assignee_id": None}, None, None, times.now())
    for task in found:
        tasks.unassign_task(task["owner_id"], task["_id"], user_id, update)
    return not found


KINDS: dict[str, Callable[[Payload], bool]] = {"letter": send_letter, "purge_user": purge_user}

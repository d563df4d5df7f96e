"""Entries of the audit trail, built from change events as servers send them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId, Timestamp

from api import audit
from api.store.owned import author_in, change, new_document

OWNER, TASK, ACTOR = ObjectId(), ObjectId(), ObjectId()
AT = datetime(2026, 1, 31, tzinfo=UTC)


def event(kind: str, found: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An event of a task; `found` is the document, or what differs."""
    where = {"fullDocument": found} if kind != "update" else {"updateDescription": {"updatedFields": found, **more}}
    return {
        "operationType": kind,
        "ns": {"db": "shardboard", "coll": "tasks"},
        "documentKey": {"owner_id": OWNER, "_id": TASK},
        "clusterTime": Timestamp(1_800_000_000, 1),
        **where,
        "fields": list(found) if kind == "update" else None,
    }


def test_an_update_tells_its_author_whom_the_event_itself_does_not_name() -> None:
    """Fields that stay as they were are not in it; the mark always is."""
    entry = audit.of_change(event("update", {"title": "x", "version": 3, "last_change": f"3 {ACTOR} r-1"}))

    assert entry is not None
    assert (entry["actor_id"], entry["request_id"]) == (ACTOR, "r-1")
    assert (entry["before"], entry["after"]) == ({"version": 2}, {"version": 3, "owner_id": OWNER})
    assert entry["at"] == Timestamp(1_800_000_000, 1).as_datetime()
    assert entry["detail"] == {"fields": ["title"]}


def test_names_of_fields_cover_lists_and_what_was_removed() -> None:
    """By their first part, and a password is called one."""
    found = {"tags.1": "x", "schedule.cron": "x", "password_hash": "x", "version": 2, "token_version": 2}
    entry = audit.of_change(event("update", found, removedFields=["a"], truncatedArrays=[{"field": "b", "newSize": 1}]))

    assert entry is not None
    assert entry["detail"] == {"fields": ["a", "b", "password", "schedule", "tags"]}


def test_a_replacement_is_an_update_without_names() -> None:
    """What old servers make of one."""
    document = {"version": 2, "updated_at": AT, "updated_by": ACTOR, "request_id": "r-1", "last_change": f"2 {ACTOR} -"}
    entry = audit.of_change(event("replace", document))

    assert entry is not None
    assert (entry["action"], entry["actor_id"], entry["request_id"], entry["at"]) == ("task.update", ACTOR, None, AT)
    assert "detail" not in entry


def test_what_a_restore_puts_back_is_no_creation() -> None:
    made = {"version": 1, "updated_at": AT, "updated_by": ACTOR, "request_id": "r-1"}
    created = audit.of_change(event("insert", made))

    assert created is not None
    assert (created["action"], created["actor_id"]) == ("task.create", ACTOR)
    assert audit.of_change(event("insert", {**made, "version": 2})) is None


def test_a_version_has_one_entry_whoever_writes_it() -> None:
    """The ids agree, so the second is refused."""
    user = new_document({}, ACTOR, "r-1", AT)
    told = event("insert", user)
    told["ns"]["coll"], told["documentKey"] = "users", {"_id": user["_id"]}

    derived = audit.of_change(told)

    assert derived is not None
    assert derived["_id"] == audit.of_version("user.create", "users", user)["_id"]
    assert derived["_id"] != audit.id_of("users", user["_id"], 2)
    assert derived["_id"] != audit.id_of("tasks", user["_id"], 1)


@pytest.mark.parametrize("actor_id", [None, ACTOR])
@pytest.mark.parametrize("request_id", [None, "r-1", "$name", "two words"])
def test_a_mark_names_the_author_again(actor_id: ObjectId | None, request_id: str | None) -> None:
    """As it was put into the change; nothing in it is an expression."""
    (update,) = change({}, actor_id, request_id, AT)
    version, literal = update["$set"]["last_change"]["$concat"]

    assert version == {"$toString": update["$set"]["version"]}
    assert author_in("7" + literal["$literal"]) == (actor_id, request_id)

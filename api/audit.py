"""The audit trail: who did what to which, before and after. This module builds its entries; `store.audit` keeps them.

An entry is `{_id, at, actor_id, action, resource, resource_id, before?, after?, request_id, ok, detail?}`, e.g.
`task.delete` of `tasks`. `resource_id` is the document's `_id`. `before` and `after` hold versions and, of what is
deleted, who could see it; never a value that somebody wrote, and never a secret.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId
from flask import g

from . import times
from .db import Document
from .store.owned import author_in

# Collection -> what one of its documents is called in an action.
NOUNS: Mapping[str, str] = {
    "tasks": "task",
    "events": "event",
    "reminders": "reminder",
    "projects": "project",
    "users": "user",
}

# What happens to what; the trail is about itself where it has a gap.
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "tasks": ("task.create", "task.update", "task.delete"),
    "events": ("event.create", "event.update", "event.delete"),
    "reminders": ("reminder.create", "reminder.update", "reminder.delete"),
    "projects": (
        *("project.create", "project.update", "project.delete"),
        *("project.add_member", "project.remove_member", "project.hand_over"),
    ),
    "users": (
        *("user.create", "user.update", "user.delete", "user.unlock"),
        *("auth.login", "auth.logout", "auth.logout_all", "auth.session_end", "auth.refresh_reuse"),
        *("auth.password_change", "auth.password_reset"),
    ),
    "audit": ("audit.gap",),
}

# Whoever sees a document, admins aside, stands in one of these.
AUDIENCE = ("owner_id", "assignee_id", "project_id", "member_ids")


def id_of(resource: str, document_id: ObjectId, version: int) -> ObjectId:
    """The id of the entry of one version of a document: whoever writes it, and however often, there is one."""
    return ObjectId(hashlib.sha256(f"{resource} {document_id} {version}".encode()).digest()[:12])


def of_account(
    action: str,
    user_id: ObjectId | None,
    actor_id: ObjectId | None,
    detail: Mapping[str, Any] | None = None,
    ok: bool = True,
) -> Document:
    """The entry of what happens to an account and makes no new version of it, such as a login.

    Without `user_id` it is about an account that does not exist: what was typed for its name is nobody's to keep.
    """
    return {
        "_id": ObjectId(),
        "at": times.now(),
        "actor_id": actor_id,
        "action": action,
        "resource": "users",
        "resource_id": user_id,
        "request_id": g.get("request_id"),
        "ok": ok,
        "detail": {name: value for name, value in (detail or {}).items() if value is not None},
    }


def of_version(action: str, resource: str, document: Mapping[str, Any], **more: Any) -> Document:
    """The entry of what made the present version of `document`, to be written in the same transaction.

    `more` may be `detail`, or `after` for values that an admin must be told of, such as a role.
    """
    version = document["version"]
    before = {"before": {"version": version - 1}} if version > 1 else {}
    return {
        "_id": id_of(resource, document["_id"], version),
        "at": document["updated_at"],
        "actor_id": document["updated_by"],
        "action": action,
        "resource": resource,
        "resource_id": document["_id"],
        **before,
        "request_id": document["request_id"],
        "ok": True,
        **more,
        "after": {"version": version, **more.get("after", {})},
    }


def of_change(event: Mapping[str, Any]) -> Document | None:
    """The entry of a version that a plain write has made, from its change event (see `store.followers`).

    None where there is nothing to tell: documents are made at version 1, so a later one that is inserted comes from a
    restore. What was written down with the deed has the same id, and stands.
    """
    resource, document_id = event["ns"]["coll"], event["documentKey"]["_id"]
    is_new = event["operationType"] == "insert"
    found = event.get("fullDocument") or event["updateDescription"]["updatedFields"]
    version = found["version"]
    if is_new and version != 1:
        return None
    if "last_change" in found:
        actor_id, request_id = author_in(found["last_change"])
    else:
        actor_id, request_id = found.get("updated_by"), found.get("request_id")
    owner = {"owner_id": event["documentKey"]["owner_id"]} if "owner_id" in event["documentKey"] else {}
    return {
        "_id": id_of(resource, document_id, version),
        "at": found.get("updated_at") or event["clusterTime"].as_datetime(),
        "actor_id": actor_id,
        "action": f"{NOUNS[resource]}.{'create' if is_new else 'update'}",
        "resource": resource,
        "resource_id": document_id,
        **({} if is_new else {"before": {"version": version - 1}}),
        "after": {"version": version, **owner},
        "request_id": request_id,
        "ok": True,
        **_names_in(event),
    }


# What every change changes, or nobody but the service itself knows.
UNTOLD = frozenset(
    ("version", "updated_at", "updated_by", "request_id", "last_change", "left", "token_version")
    + ("username_folded", "name_folded", "lease_id", "lease_until")
)


def _names_in(event: Mapping[str, Any]) -> Document:
    """The names of what an update has changed; nothing for other events, or servers that do not tell."""
    if event.get("fields") is None:
        return {}
    described = event["updateDescription"]
    paths = [*event["fields"], *described.get("removedFields", ())]
    paths += [each["field"] for each in described.get("truncatedArrays") or ()]
    names = {path.partition(".")[0] for path in paths} - UNTOLD
    return {"detail": {"fields": sorted("password" if name == "password_hash" else name for name in names)}}


def gap(since: datetime | None, position: str, code: int | None) -> Document:
    """The entry that says that changes since then are missing, because the servers' own logs do not reach back."""
    return {
        "_id": ObjectId(hashlib.sha256(f"gap {position}".encode()).digest()[:12]),
        "at": times.now(),
        "actor_id": None,
        "action": "audit.gap",
        "resource": "audit",
        "resource_id": None,
        "request_id": None,
        "ok": False,
        "detail": {"since": since, "mongodb_code": code},
    }


def deletion(resource: str, document: Mapping[str, Any], actor_id: ObjectId | None, request_id: str | None) -> Document:
    """The entry of a document that is deleted, to be written in the same transaction.

    `before` tells who could see it: whoever follows changes learns of deletions from here.
    """
    seen_by = {name: document[name] for name in AUDIENCE if document.get(name) is not None}
    return {
        # What would have been its next version is its end.
        "_id": id_of(resource, document["_id"], document["version"] + 1),
        "at": times.now(),
        "actor_id": actor_id,
        "action": f"{NOUNS[resource]}.delete",
        "resource": resource,
        "resource_id": document["_id"],
        "before": {"version": document["version"], **seen_by},
        "request_id": request_id,
        "ok": True,
    }

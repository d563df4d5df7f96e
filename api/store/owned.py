"""What documents that clients change have in common: versions, stamps and updates. Pure: builds filters and updates.

A change is one command: the filter says who may make it and from which version, the update is all or nothing.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId

from ..db import Document

# The versions a client will overwrite; None means any of them (`If-Match: *`).
Versions = Collection[int] | None

# Stands in a mark for an author or request that there is none of.
NOBODY = "-"


def at_versions(versions: Versions) -> Document:
    """The filter of a conditional write."""
    if versions is None:
        return {}
    return {"version": {"$in": sorted(versions)}}


def new_document(
    fields: Mapping[str, Any], actor_id: ObjectId | None, request_id: str | None, at: datetime
) -> Document:
    """`fields` with the stamps of a first version; an `_id` is made unless there is one."""
    stamps = {"created_at": at, "updated_at": at, "updated_by": actor_id, "request_id": request_id, "version": 1}
    return {"_id": ObjectId(), **fields, **stamps}


def change(
    fields: Mapping[str, Any],
    actor_id: ObjectId | None,
    request_id: str | None,
    at: datetime,
    computed: Mapping[str, Any] | None = None,
) -> list[Document]:
    """The update that sets `fields` and raises the version.

    A pipeline, so that `computed` expressions may look at the document. Clients' values stand in `$literal`: a title
    may be "$owner_id".
    """
    stamps = {"updated_at": at, "updated_by": actor_id, "request_id": request_id}
    values = {name: {"$literal": value} for name, value in {**fields, **stamps}.items()}
    version = {"$add": ["$version", 1]}
    # An update event has no field that stays as it was, such as the author of two changes in a row: this text differs.
    mark = {"$concat": [{"$toString": version}, {"$literal": f" {actor_id or NOBODY} {request_id or NOBODY}"}]}
    return [{"$set": {**values, **(computed or {}), "version": version, "last_change": mark}}]


def author_in(mark: str) -> tuple[ObjectId | None, str | None]:
    """Who made a change and by which request, from its `last_change`."""
    _, actor_id, request_id = mark.split(" ", 2)
    return None if actor_id == NOBODY else ObjectId(actor_id), None if request_id == NOBODY else request_id

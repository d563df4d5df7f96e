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
    return [{"$set": {**values, **(computed or {}), "version": {"$add": ["$version", 1]}}}]

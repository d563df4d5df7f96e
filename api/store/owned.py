"""What documents that clients change have in common: versions, stamps and updates. Pure: builds filters and updates.

A change is one command: the filter says who may make it and from which version, the update is all or nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from ..db import Document

# Of what has one of these, whoever is named there sees it.
SEEN_THROUGH = ("assignee_id", "project_id")

NEXT_VERSION = {"$add": ["$version", 1]}

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
    left: Sequence[ObjectId] = (),
) -> list[Document]:
    """The update that sets `fields` and raises the version. `left` are people whom it takes the document from.

    A pipeline, so that `computed` expressions may look at the document. Clients' values stand in `$literal`: a title
    may be "$owner_id".
    """
    stamps = {"updated_at": at, "updated_by": actor_id, "request_id": request_id}
    values = {name: {"$literal": value} for name, value in {**fields, **stamps}.items()}
    # An update event has no field that stays as it was, such as the author of two changes in a row: this text differs.
    mark = {"$concat": [{"$toString": NEXT_VERSION}, {"$literal": f" {actor_id or NOBODY} {request_id or NOBODY}"}]}
    through = [name for name in SEEN_THROUGH if name in fields]
    if through or left:
        values["left"] = _left(through, left)
    return [{"$set": {**values, **(computed or {}), "version": NEXT_VERSION, "last_change": mark}}]


def author_in(mark: str) -> tuple[ObjectId | None, str | None]:
    """Who made a change and by which request, from its `last_change`."""
    _, actor_id, request_id = mark.split(" ", 2)
    return None if actor_id == NOBODY else ObjectId(actor_id), None if request_id == NOBODY else request_id


def _left(through: Sequence[str], people: Sequence[ObjectId]) -> Document:
    """The mark by which those who followed the document learn that it is no longer theirs to see.

    `"7 <id> <id>"`: as of version 7 not through these people and projects. A text, because a change stream tells of an
    array or a document only the parts that differ from the ones before.
    """
    ids = [{"$ifNull": [{"$toString": f"${name}"}, ""]} for name in through] + [str(each) for each in people]
    words = [part for each in ids for part in (" ", each)]
    return {"$concat": [{"$toString": NEXT_VERSION}, *words]}

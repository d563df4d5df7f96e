"""One change of one document, as far as it matters to those who may see it. Pure.

A change carries the document only at its own version. Where the stream's look at it came late, the version is another
one: then a later change carries it, and this one tells at most who has lost sight of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from bson import ObjectId, Timestamp

from .. import ids
from ..audit import AUDIENCE
from ..db import Document
from ..store.changes import AUDIT

CREATED, UPDATED, DELETED, REMOVED = "created", "updated", "deleted", "removed"
KINDS = {"insert": CREATED, "update": UPDATED, "replace": UPDATED}
NOBODY: frozenset[ObjectId] = frozenset()


class Place(NamedTuple):
    """A place in the stream: after the first `number` changes of one cluster time. The order is that of the stream."""

    time: int
    inc: int
    number: int = 0

    @property
    def timestamp(self) -> Timestamp:
        return Timestamp(self.time, self.inc)


def place_at(timestamp: Timestamp, number: int = 0) -> Place:
    return Place(timestamp.time, timestamp.inc, number)


@dataclass(frozen=True)
class Change:
    """What happened.

    Attributes:
        place: right after it.
        owner_id: whose it is for good; None of projects, which are handed over.
        document: at this change's version; None when it was deleted or has another version by now.
        audience: people and projects through whom it is seen, or was until it was deleted.
        left: people and projects through whom it is seen no longer.
    """

    place: Place
    resource: str
    kind: str
    owner_id: ObjectId | None
    item_id: ObjectId
    version: int
    document: Document | None
    audience: frozenset[ObjectId]
    left: frozenset[ObjectId]

    @cached_property
    def id(self) -> str:
        """As clients know it; that of a project is its own, that of others names their owner."""
        if self.owner_id is None:
            return str(self.item_id)
        return ids.public_id(self.owner_id, self.item_id)


def change_of(event: Mapping[str, Any], place: Place) -> Change | None:
    """The change that an event of the stream tells of; None when no client can see a difference."""
    resource, found = event["ns"]["coll"], event.get("fullDocument")
    if resource == AUDIT:
        return _deletion(event["fullDocument"], place)
    told = found if event["operationType"] != "update" else event["updateDescription"]["updatedFields"]
    if told is None or "version" not in told:
        return None
    document = found if found and found["version"] == told["version"] else None
    # One that is being deleted is nobody's any more; its audit entry tells.
    if document and document.get("status") == "deleting":
        document = None
    return Change(
        place,
        resource,
        KINDS[event["operationType"]],
        event["documentKey"].get("owner_id"),
        event["documentKey"]["_id"],
        told["version"],
        document,
        _audience(document) if document else NOBODY,
        _left(told.get("left", ""), told["version"]),
    )


def _deletion(entry: Mapping[str, Any], place: Place) -> Change | None:
    before = entry.get("before", {})
    if "owner_id" not in before:
        return None
    return Change(
        place,
        entry["resource"],
        DELETED,
        None if entry["resource"] == "projects" else before["owner_id"],
        entry["resource_id"],
        before["version"],
        None,
        _audience(before),
        NOBODY,
    )


def _audience(document: Mapping[str, Any]) -> frozenset[ObjectId]:
    """Whoever is, or takes part in, one of these sees it."""
    found: set[ObjectId] = set()
    for name in AUDIENCE:
        value = document.get(name)
        found.update(value if isinstance(value, list) else [value] if value else [])
    return frozenset(found)


def _left(mark: str, version: int) -> frozenset[ObjectId]:
    """The ids in the mark of this version; one of an earlier version was told with that. See `store.owned.change`."""
    marked, *found = mark.split() or [""]
    return frozenset(ObjectId(each) for each in found) if marked == str(version) else NOBODY

"""Queries on events. The shard key is the owner and the id."""

from bson import ObjectId

from ..db import Document
from .query import Documents, queries_of

query = queries_of("events")


@query
def insert_event(events: Documents, event: Document) -> None:
    events.insert_one(event)


@query
def delete_events_of_owner(events: Documents, owner_id: ObjectId) -> int:
    """How many were removed. May be repeated until it answers 0."""
    return events.delete_many({"owner_id": owner_id}).deleted_count


@query
def estimate_events(events: Documents) -> int:
    """From metadata: quick, and orphans of a range on the move count twice."""
    return events.estimated_document_count()

"""Queries on events. The shard key is the owner and the id."""

from collections.abc import Mapping, Sequence

from bson import ObjectId

from ..db import Document
from .owned_queries import BY_OWNER, Keys, Sort, all_of, owned_queries
from .query import Documents, queries_of

query = queries_of("events")


EVENTS = owned_queries("events", "event")
insert_event, list_events_of_owner = EVENTS.insert_item, EVENTS.list_items_of_owner
count_events_of_owner = EVENTS.count_items_of_owner


IN_ORDER: Mapping[str, Keys] = {"_id": BY_OWNER, "starts_at": [("owner_id", 1), ("starts_at", 1), ("_id", 1)]}


@query
def search_events_of_owner(
    events: Documents,
    owner_id: ObjectId,
    field: str,
    clauses: Sequence[Document],
    sort: Sort,
    limit: int,
    skip: int = 0,
) -> list[Document]:
    """See `tasks.search_tasks_of_owner`."""
    found = events.find(all_of({"owner_id": owner_id}, clauses)).hint(IN_ORDER[field])
    return list(found.sort(sort).skip(skip).limit(limit))


@query
def list_all_events(
    events: Documents, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    return list(events.find(all_of({}, clauses)).sort(sort).skip(skip).limit(limit))


@query
def count_all_events(events: Documents, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return events.count_documents(all_of({}, clauses), limit=most)


@query
def estimate_events(events: Documents) -> int:
    """From metadata: quick, and orphans of a range on the move count twice."""
    return events.estimated_document_count()

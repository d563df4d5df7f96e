"""Queries on the audit trail, which is added to and never changed. The shard key is the id."""

from collections.abc import Sequence

from pymongo.errors import BulkWriteError

from ..db import Document
from .owned_queries import Sort, all_of
from .query import Documents, queries_of

query = queries_of("audit")

DUPLICATE_KEY = 11000

# Named to the server, which would as soon read all there is by time.
BY_TIME = [("at", -1), ("_id", -1)]
BY_ACTOR = [("actor_id", 1), *BY_TIME]
BY_ACTION = [("action", 1), *BY_TIME]
BY_DOCUMENT = [("resource", 1), ("resource_id", 1), *BY_TIME]


@query
def insert_entry(audit: Documents, entry: Document) -> None:
    audit.insert_one(entry)


@query
def insert_missing_entries(audit: Documents, entries: Sequence[Document]) -> None:
    """Those that are not there yet: an entry that is told again has the same id.

    Raises:
        BulkWriteError: one was refused for another reason.
    """
    try:
        audit.insert_many(list(entries), ordered=False)
    except BulkWriteError as error:
        faults = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(fault["code"] != DUPLICATE_KEY for fault in faults):
            raise


@query
def insert_entries(audit: Documents, entries: Sequence[Document]) -> None:
    """Each on the shard of its id, so that many go to all of them."""
    audit.insert_many(list(entries))


@query
def list_entries(
    audit: Documents, index: Sort, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    """Those that meet the clauses, read by one of the indexes above."""
    return list(audit.find(all_of({}, clauses)).hint(index).sort(sort).skip(skip).limit(limit))


@query
def count_entries(audit: Documents, index: Sort, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return audit.count_documents(all_of({}, clauses), limit=most, hint=index)


@query
def estimate_entries(audit: Documents) -> int:
    """From metadata: quick, and orphans of a range on the move count twice."""
    return audit.estimated_document_count()

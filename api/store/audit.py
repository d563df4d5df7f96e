"""Queries on the audit trail, which is added to and never changed. The shard key is the id."""

from collections.abc import Sequence

from pymongo.errors import BulkWriteError

from ..db import Document
from .query import Documents, queries_of

query = queries_of("audit")

DUPLICATE_KEY = 11000


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

"""Queries on the audit trail, which is added to and never changed. The shard key is the id."""

from collections.abc import Sequence

from ..db import Document
from .query import Documents, queries_of

query = queries_of("audit")


@query
def insert_entry(audit: Documents, entry: Document) -> None:
    audit.insert_one(entry)


@query
def insert_entries(audit: Documents, entries: Sequence[Document]) -> None:
    """Each on the shard of its id, so that many go to all of them."""
    audit.insert_many(list(entries))

"""Queries on the rows of imports, a chunk a document. The shard key is the import, whose chunks lie together."""

from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId

from ..db import Document
from .query import Documents, queries_of

query = queries_of("import_chunks")


@query
def insert_chunk(
    chunks: Documents, import_id: ObjectId, number: int, rows: Sequence[Document], created_at: datetime
) -> None:
    """Keep some rows, each `{"row": 17, "cells": ["Write", "done"]}`."""
    own = {"import_id": import_id, "number": number, "rows": list(rows), "created_at": created_at}
    chunks.insert_one({"_id": ObjectId(), **own})


@query
def find_chunk(chunks: Documents, import_id: ObjectId, number: int) -> Document | None:
    return chunks.find_one({"import_id": import_id, "number": number})


@query
def delete_chunks(chunks: Documents, import_id: ObjectId) -> None:
    """All that are left of an import. May be repeated."""
    chunks.delete_many({"import_id": import_id})

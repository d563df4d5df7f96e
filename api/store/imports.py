"""Queries on imports. The shard key is the id; those of one person are spread over the shards."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId

from cluster.collections import MAX_IMPORT_ERRORS

from ..db import Document
from .owned_queries import Sort, all_of
from .query import Documents, queries_of

query = queries_of("imports")

# Anything else is over.
UNFINISHED = {"$in": ["waiting", "running"]}


@query
def insert_import(imports: Documents, job: Document) -> None:
    imports.insert_one(job)


@query
def find_import(imports: Documents, import_id: ObjectId, condition: Mapping[str, Any]) -> Document | None:
    """The import, if it meets `condition` (who may see it)."""
    return imports.find_one({"_id": import_id, **condition})


@query
def list_imports_of_owner(
    imports: Documents, owner_id: ObjectId, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    """Without their errors: a hundred of them may have a hundred thousand."""
    found = imports.find(all_of({"owner_id": owner_id}, clauses), {"errors": 0})
    return list(found.sort(sort).skip(skip).limit(limit))


@query
def count_imports_of_owner(imports: Documents, owner_id: ObjectId, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return imports.count_documents(all_of({"owner_id": owner_id}, clauses), limit=most)


@query
def list_import_ids_of_owner(imports: Documents, owner_id: ObjectId, limit: int) -> list[ObjectId]:
    return [job["_id"] for job in imports.find({"owner_id": owner_id}, {"_id": 1}).limit(limit)]


@query
def count_unfinished_imports(imports: Documents, owner_id: ObjectId) -> int:
    """How many of a person wait or run."""
    return imports.count_documents({"owner_id": owner_id, "state": UNFINISHED})


@query
def advance_import(
    imports: Documents,
    import_id: ObjectId,
    chunk: int,
    counts: Mapping[str, int],
    errors: Sequence[Document],
    fields: Mapping[str, Any],
) -> None:
    """Count what became of a chunk, unless another worker did, or the import is over."""
    update = {
        "$set": {**fields, "next_chunk": chunk + 1},
        "$inc": dict(counts),
        "$push": {"errors": {"$each": list(errors), "$slice": MAX_IMPORT_ERRORS}},
    }
    here = {"_id": import_id, "next_chunk": chunk, "state": UNFINISHED}
    imports.update_one(here, update)


@query
def fail_import(imports: Documents, import_id: ObjectId, detail: str, at: datetime) -> None:
    """End an import that cannot go on; what it has made stays."""
    over = {"state": "failed", "detail": detail, "updated_at": at, "finished_at": at}
    imports.update_one({"_id": import_id, "state": UNFINISHED}, {"$set": over})


@query
def delete_import(imports: Documents, import_id: ObjectId, condition: Mapping[str, Any]) -> bool:
    """Whether it was there, met `condition` and is gone; its chunks are not."""
    return imports.delete_one({"_id": import_id, **condition}).deleted_count == 1

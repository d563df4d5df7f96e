"""The queries that every owned collection has: by the owner and the id, its shard key, each goes to one shard."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument

from ..db import Document
from .query import Documents, queries_of

Condition = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class OwnedQueries:
    """The queries of one collection, e.g. of `tasks`: `insert_item` is known as `tasks.insert_task`."""

    insert_item: Callable[[Document], None]
    find_item: Callable[[ObjectId, ObjectId, Condition], Document | None]
    update_item: Callable[[ObjectId, ObjectId, Condition, Sequence[Condition]], Document | None]
    delete_item: Callable[[ObjectId, ObjectId, Condition], bool]
    list_items_of_owner: Callable[..., list[Document]]
    list_items_by_id: Callable[[ObjectId, Sequence[ObjectId], Condition], list[Document]]
    count_items_of_owner: Callable[[ObjectId, Sequence[Document], int], int]
    delete_items_of_owner: Callable[[ObjectId], int]


def all_of(first: Document, clauses: Sequence[Document]) -> Document:
    """The filter of a list: what it is of, and what else is asked."""
    return {**first, "$and": list(clauses)} if clauses else first


def owned_queries(collection: str, noun: str) -> OwnedQueries:
    """The queries of `collection`, whose documents are called `noun`."""
    query = queries_of(collection, noun)

    @query
    def insert_item(items: Documents, item: Document) -> None:
        items.insert_one(item)

    @query
    def find_item(items: Documents, owner_id: ObjectId, item_id: ObjectId, seen_by: Condition) -> Document | None:
        """The item, if `seen_by` (see `access`) lets the caller see it."""
        return items.find_one({"owner_id": owner_id, "_id": item_id, **seen_by})

    @query
    def update_item(
        items: Documents, owner_id: ObjectId, item_id: ObjectId, condition: Condition, change: Sequence[Condition]
    ) -> Document | None:
        """The item after `change`; None where there is none that meets `condition` (who may, at which version)."""
        return items.find_one_and_update(
            {"owner_id": owner_id, "_id": item_id, **condition}, change, return_document=ReturnDocument.AFTER
        )

    @query
    def delete_item(items: Documents, owner_id: ObjectId, item_id: ObjectId, condition: Condition) -> bool:
        """Whether the item was there, met `condition` and is gone."""
        return items.delete_one({"owner_id": owner_id, "_id": item_id, **condition}).deleted_count == 1

    @query
    def list_items_of_owner(
        items: Documents, owner_id: ObjectId, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
    ) -> list[Document]:
        return list(items.find(all_of({"owner_id": owner_id}, clauses)).sort(sort).skip(skip).limit(limit))

    @query
    def list_items_by_id(
        items: Documents, owner_id: ObjectId, item_ids: Sequence[ObjectId], seen_by: Condition
    ) -> list[Document]:
        """Those items of one owner that are there and, by `seen_by`, the caller's to see, in no order."""
        return list(items.find({"owner_id": owner_id, "_id": {"$in": list(item_ids)}, **seen_by}))

    @query
    def count_items_of_owner(items: Documents, owner_id: ObjectId, clauses: Sequence[Document], most: int) -> int:
        """How many there are; counting ends at `most`."""
        return items.count_documents(all_of({"owner_id": owner_id}, clauses), limit=most)

    @query
    def delete_items_of_owner(items: Documents, owner_id: ObjectId) -> int:
        """How many were removed. May be repeated until it answers 0."""
        return items.delete_many({"owner_id": owner_id}).deleted_count

    return OwnedQueries(
        insert_item,
        find_item,
        update_item,
        delete_item,
        list_items_of_owner,
        list_items_by_id,
        count_items_of_owner,
        delete_items_of_owner,
    )

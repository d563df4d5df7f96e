"""The queries that every owned collection has: by the owner and the id, its shard key, each goes to one shard."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from pymongo import DeleteOne, ReturnDocument

from ..db import Document
from .query import Documents, queries_of

Condition = Mapping[str, Any]
# Owner and id, the shard key.
Key = tuple[ObjectId, ObjectId]
Sort = Sequence[tuple[str, int]]
Keys = Sequence[tuple[str, int | str]]
# The index of the shard key: an owner's items in the order of their ids.
BY_OWNER: Keys = [("owner_id", "hashed"), ("_id", 1)]

# What the audit entry of a deletion needs to know of an owned item.
TOLD_OF_DELETIONS = {"owner_id": 1, "assignee_id": 1, "project_id": 1, "version": 1}


@dataclass(frozen=True)
class OwnedQueries:
    """The queries of one collection, e.g. of `tasks`: `insert_item` is known as `tasks.insert_task`."""

    insert_item: Callable[[Document], None]
    find_item: Callable[[ObjectId, ObjectId, Condition], Document | None]
    update_item: Callable[[ObjectId, ObjectId, Condition, Sequence[Condition]], Document | None]
    delete_item: Callable[[ObjectId, ObjectId, Condition], Document | None]
    delete_items: Callable[[Sequence[Document]], None]
    list_items_of_owner: Callable[..., list[Document]]
    list_items_by_key: Callable[[Sequence[tuple[Key, Condition]]], list[Document]]
    count_items_of_owner: Callable[[ObjectId, Sequence[Document], int], int]
    find_some_items_of_owner: Callable[[ObjectId, int], list[Document]]


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
    def delete_item(items: Documents, owner_id: ObjectId, item_id: ObjectId, condition: Condition) -> Document | None:
        """The item that was there, met `condition` and is gone. Called in a transaction with its audit entry."""
        return items.find_one_and_delete({"owner_id": owner_id, "_id": item_id, **condition})

    @query
    def delete_items(items: Documents, found: Sequence[Document]) -> None:
        """Remove what was found in this transaction, each by its shard key, in one command."""
        items.bulk_write([DeleteOne({"owner_id": item["owner_id"], "_id": item["_id"]}) for item in found])

    @query
    def list_items_of_owner(
        items: Documents, owner_id: ObjectId, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
    ) -> list[Document]:
        return list(items.find(all_of({"owner_id": owner_id}, clauses)).sort(sort).skip(skip).limit(limit))

    @query
    def list_items_by_key(items: Documents, wanted: Sequence[tuple[Key, Condition]]) -> list[Document]:
        """Those items, each by its owner and id, that are there and meet their condition, in no order."""
        each = [{"owner_id": owner_id, "_id": item_id, **seen_by} for (owner_id, item_id), seen_by in wanted]
        ids = [item_id for (_, item_id), _ in wanted]
        # By one index, instead of a plan for each branch.
        found = items.find({"_id": {"$in": ids}, "$or": each}).hint([("_id", 1)])
        return list(found.limit(len(each)))

    @query
    def count_items_of_owner(items: Documents, owner_id: ObjectId, clauses: Sequence[Document], most: int) -> int:
        """How many there are; counting ends at `most`."""
        return items.count_documents(all_of({"owner_id": owner_id}, clauses), limit=most)

    @query
    def find_some_items_of_owner(items: Documents, owner_id: ObjectId, limit: int) -> list[Document]:
        """Up to `limit` items, as far as their audit entries tell of them."""
        return list(items.find({"owner_id": owner_id}, TOLD_OF_DELETIONS).limit(limit))

    return OwnedQueries(
        insert_item,
        find_item,
        update_item,
        delete_item,
        delete_items,
        list_items_of_owner,
        list_items_by_key,
        count_items_of_owner,
        find_some_items_of_owner,
    )

"""Queries on users. The shard key is the id; the admin's lists go to every shard."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument

from ..db import Document
from .owned_queries import Sort, all_of
from .query import Documents, queries_of

query = queries_of("users")

NAMES = {"username": 1, "name": 1}


@query
def insert_user(users: Documents, user: Document) -> None:
    users.insert_one(user)


@query
def find_user(users: Documents, user_id: ObjectId) -> Document | None:
    """A user who is not being deleted."""
    return users.find_one({"_id": user_id, "status": {"$ne": "deleting"}})


@query
def find_standing(users: Documents, user_id: ObjectId) -> Document | None:
    """`role`, `status` and `token_version`, whatever the status is."""
    return users.find_one({"_id": user_id}, {"role": 1, "status": 1, "token_version": 1})


@query
def list_standings(users: Documents, user_ids: Sequence[ObjectId]) -> list[Document]:
    """`role` and `status` of those who are there."""
    return list(users.find({"_id": {"$in": list(user_ids)}}, {"role": 1, "status": 1}))


@query
def list_users(users: Documents, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0) -> list[Document]:
    return list(users.find(all_of({}, clauses)).sort(sort).skip(skip).limit(limit))


@query
def count_users(users: Documents, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return users.count_documents(all_of({}, clauses), limit=most)


@query
def list_users_by_id(users: Documents, user_ids: Sequence[ObjectId]) -> list[Document]:
    """Those who are not being deleted, in no order."""
    return list(users.find(_present(user_ids)).hint([("_id", 1)]).limit(len(user_ids)))


@query
def list_people(
    users: Documents, field: str, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    """The names of those who are active, by the index on `field`, e.g. `name_folded`.

    It is named to the server: at the end of a list, where little is left to read, it would as soon sort in memory.
    """
    found = users.find(all_of({"status": "active"}, clauses), {**NAMES, field: 1})
    return list(found.hint([("status", 1), (field, 1), ("_id", 1)]).sort(sort).skip(skip).limit(limit))


@query
def count_people(users: Documents, clauses: Sequence[Document], most: int) -> int:
    """How many there are who are active; counting ends at `most`."""
    return users.count_documents(all_of({"status": "active"}, clauses), limit=most)


@query
def list_names(users: Documents, user_ids: Sequence[ObjectId]) -> list[Document]:
    """The names of people who are not being deleted, in no order."""
    return list(users.find(_present(user_ids), NAMES).hint([("_id", 1)]).limit(len(user_ids)))


def _present(user_ids: Sequence[ObjectId]) -> Document:
    return {"_id": {"$in": list(user_ids)}, "status": {"$ne": "deleting"}}


@query
def update_user(
    users: Documents, user_id: ObjectId, condition: Mapping[str, Any], change: Sequence[Mapping[str, Any]]
) -> Document | None:
    """The user after `change`; None where there is none that meets `condition`."""
    return users.find_one_and_update(
        {"_id": user_id, "status": {"$ne": "deleting"}, **condition}, change, return_document=ReturnDocument.AFTER
    )


@query
def note_login(users: Documents, user_id: ObjectId, at: datetime, password_hash: str | None) -> None:
    """Remember when; with `password_hash`, also the same password under today's parameters. No new version."""
    fields = {"last_login_at": at} | ({"password_hash": password_hash} if password_hash else {})
    users.update_one({"_id": user_id}, {"$set": fields})


@query
def delete_user(users: Documents, user_id: ObjectId) -> None:
    """The last step of a deletion."""
    users.delete_one({"_id": user_id, "status": "deleting"})


@query
def estimate_users(users: Documents) -> int:
    """From metadata: quick, and orphans of a range on the move count twice."""
    return users.estimated_document_count()

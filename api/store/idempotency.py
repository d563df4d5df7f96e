"""Queries on the answers kept for `Idempotency-Key`. The shard key is the id: a hash of caller and key."""

from collections.abc import Mapping
from datetime import datetime

from bson import Binary

from ..db import Document
from .query import Documents, queries_of

query = queries_of("idempotency")


@query
def find_answer(answers: Documents, key_id: str) -> Document | None:
    return answers.find_one({"_id": key_id})


@query
def insert_answer(answers: Documents, key_id: str, request_hash: str, at: datetime) -> None:
    """Take the key, first thing in the write's transaction. Nobody sees this form of it: it is filled before commit."""
    answers.insert_one(
        {
            "_id": key_id,
            "request_hash": request_hash,
            "status": 200,
            "headers": {},
            "body": Binary(b""),
            "created_at": at,
        }
    )


@query
def fill_answer(answers: Documents, key_id: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    answers.update_one({"_id": key_id}, {"$set": {"status": status, "headers": headers, "body": Binary(body)}})

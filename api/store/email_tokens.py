"""Queries on the one-time tokens of letters. The shard key is the id, a hash of the token: who has it, finds it."""

from datetime import datetime

from bson import ObjectId

from ..db import Document
from .query import Documents, queries_of

query = queries_of("email_tokens")


@query
def insert_token(email_tokens: Documents, token: Document) -> None:
    email_tokens.insert_one(token)


@query
def find_token(email_tokens: Documents, token_hash: str, purpose: str, at: datetime) -> Document | None:
    """A token that may still be used."""
    return email_tokens.find_one({"_id": token_hash, "purpose": purpose, "expires_at": {"$gt": at}})


@query
def take_token(email_tokens: Documents, token_hash: str, purpose: str, at: datetime) -> Document | None:
    """The token, which is gone with it: of several at once one gets it. Called in the transaction of what it allows."""
    return email_tokens.find_one_and_delete({"_id": token_hash, "purpose": purpose, "expires_at": {"$gt": at}})


@query
def delete_tokens_of(email_tokens: Documents, user_id: ObjectId) -> None:
    """May be repeated: nobody is deleted twice."""
    email_tokens.delete_many({"user_id": user_id})

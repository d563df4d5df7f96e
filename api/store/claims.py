"""Queries on `user_claims`: one document a taken e-mail address or username, unique by its `_id`."""

from datetime import datetime
from typing import Literal

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from ..db import Document
from ..names import fold
from .query import Documents, queries_of

query = queries_of("user_claims")

Kind = Literal["email", "username"]


class ClaimTaken(Exception):
    """Somebody has the e-mail address or username already. The transaction that asked for it has changed nothing."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.kind: Kind = kind


def claim_id(kind: Kind, value: str) -> str:
    """`email:ada@example.org`: what differs in case alone is the same claim, see `names`."""
    return f"{kind}:{fold(value)}"


@query
def insert_claim(claims: Documents, kind: Kind, value: str, user_id: ObjectId, at: datetime) -> None:
    """Raises ClaimTaken when it is somebody's."""
    try:
        claims.insert_one({"_id": claim_id(kind, value), "user_id": user_id, "created_at": at})
    except DuplicateKeyError as error:
        raise ClaimTaken(kind) from error


@query
def find_claim(claims: Documents, kind: Kind, value: str) -> Document | None:
    return claims.find_one({"_id": claim_id(kind, value)})


@query
def delete_claim(claims: Documents, kind: Kind, value: str, user_id: ObjectId) -> None:
    """Free a value, if it is still this user's."""
    claims.delete_one({"_id": claim_id(kind, value), "user_id": user_id})

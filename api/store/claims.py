"""Queries on `user_claims`: one document a taken e-mail address or username, unique by its `_id`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from ..db import Document
from ..names import fold
from .owned_queries import Sort, all_of
from .query import Documents, queries_of

query = queries_of("user_claims")

# Sorts after whatever a name can hold.
LAST_CHARACTER = "\U0010ffff"

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
def list_usernames(
    claims: Documents, prefix: str, clauses: Sequence[Document], sort: Sort, limit: int
) -> list[Document]:
    """Claims of usernames that begin with `prefix`, however it is written."""
    first = claim_id("username", prefix)
    wanted = {"_id": {"$gte": first, "$lt": first + LAST_CHARACTER}}
    return list(claims.find(all_of(wanted, clauses)).sort(sort).limit(limit))


@query
def delete_claim(claims: Documents, kind: Kind, value: str, user_id: ObjectId) -> None:
    """Free a value, if it is still this user's."""
    claims.delete_one({"_id": claim_id(kind, value), "user_id": user_id})

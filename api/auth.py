"""Who is calling, and what they may call."""

from collections.abc import Mapping
from dataclasses import dataclass

from bson import ObjectId
from flask import request

from .errors import Problem
from .services import services
from .store import sessions, users
from .tokens import BadToken

ADMIN = "admin"


@dataclass(frozen=True)
class Principal:
    """The caller of a request. The role is the user's present one, not the one in the token."""

    user_id: ObjectId
    role: str
    session_id: str
    token_expires_at: int

    @property
    def is_admin(self) -> bool:
        return self.role == ADMIN


def read_role(session_id: str, user_id: ObjectId) -> str | None:
    """The role of a live session's active user, by two reads of one shard each; None when there is none."""
    if sessions.find_live_session(session_id, user_id) is None:
        return None
    user = users.find_standing(user_id)
    return user["role"] if user and user["status"] == "active" else None


def read_roles(people: Mapping[str, ObjectId]) -> dict[str, str]:
    """The roles of the live sessions of active users among `people`, session to user; by two reads for all of them."""
    live = {session["_id"] for session in sessions.list_live_ids(list(people))}
    standings = {user["_id"]: user for user in users.list_standings(list({*people.values()}))}
    active = {user_id: user["role"] for user_id, user in standings.items() if user["status"] == "active"}
    return {sid: active[user_id] for sid, user_id in people.items() if sid in live and user_id in active}


def bearer_token() -> str | None:
    """The token of the request's `Authorization` header; None when it has none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def authenticate(fresh: bool = False) -> Principal:
    """The caller; with `fresh` nothing remembered is believed.

    Raises:
        Problem: 401, no token or one that is not good.
    """
    here = services()
    try:
        claims = here.token_keys.verify(bearer_token() or "")
    except BadToken:
        raise Problem("unauthenticated", "Send a valid access token: Authorization: Bearer ...") from None
    role = here.standing.role_of(claims, fresh)
    if role is None:
        raise Problem("unauthenticated", "The session has ended: log in again.")
    return Principal(claims.user_id, role, claims.session_id, claims.expires_at)


def require_admin(principal: Principal) -> None:
    """Raise 403 unless the caller is an admin."""
    if not principal.is_admin:
        raise Problem("forbidden", "Only an admin may do this.")

"""The caller: profile, password, sessions."""

from typing import Any

from flask import Blueprint, Response, request

from .. import accounts, logins, one_time, passwords, times
from ..auth import Principal
from ..db import Document
from ..endpoint import Access, Endpoint, Kind, endpoint
from ..errors import Problem, invalid
from ..paging import Page
from ..responses import item_response, no_content, page_response, versions_wanted
from ..schemas import accounts as shapes
from ..schemas.base import compile_dump
from ..schemas.lists import page_of
from ..store import sessions, users

blueprint = Blueprint("me", __name__)

dump_user = compile_dump(shapes.User)
dump_session = compile_dump(shapes.Session)


def me(caller: Principal) -> Document:
    """The caller's own document."""
    user = users.find_user(caller.user_id)
    if user is None:
        raise Problem("unauthenticated", "The user is gone.")
    return user


@blueprint.get("/me")
@endpoint(Endpoint("The caller", answers={200: shapes.User, 304: None}, conditional=True))
def get_me(caller: Principal) -> Response:
    return item_response(me(caller), dump_user)


@blueprint.patch("/me")
@endpoint(
    Endpoint(
        "Change the caller's profile",
        kind=Kind.WRITE,
        body=shapes.MePatch,
        answers={200: shapes.User},
        problems=("email_taken", "username_taken"),
        conditional=True,
        example={"name": "Ada King"},
    )
)
def patch_me(caller: Principal, body: dict[str, Any]) -> Response:
    versions = versions_wanted()
    return item_response(accounts.update_user(me(caller), body, versions, caller.user_id), dump_user)


@blueprint.delete("/me")
@endpoint(
    Endpoint(
        "Delete the caller: names at once, tasks and events soon after",
        Access.USER_NOW,
        Kind.WRITE,
        answers={204: None},
        problems=("owns_projects", "own_account"),
        conditional=True,
    )
)
def delete_me(caller: Principal) -> Response:
    versions = versions_wanted()
    if caller.is_admin:
        raise Problem("own_account", "Let another admin delete you, so that one always remains.")
    accounts.delete_user(me(caller), versions, caller.user_id)
    return no_content()


@blueprint.put("/me/password")
@endpoint(
    Endpoint(
        "Change the password; ends every other session",
        Access.USER_NOW,
        Kind.WRITE,
        body=shapes.PasswordChange,
        answers={204: None},
        problems=("too_many_requests", "stale_version"),
        example={"current_password": "correct horse 7", "new_password": "battery staple 8"},
    )
)
def put_my_password(caller: Principal, body: dict[str, Any]) -> Response:
    user = me(caller)
    problem = passwords.problem_of(body["new_password"], user["username"], user["email"])
    if problem:
        raise invalid("/new_password", problem)
    logins.check_password(user, body["current_password"])
    accounts.change_password(user, body["new_password"], caller.session_id)
    return no_content()


@blueprint.post("/me/email-verification")
@endpoint(
    Endpoint(
        "Have the letter sent again that verifies the caller's address",
        kind=Kind.WRITE,
        answers={202: None},
        problems=("email_verified", "too_many_requests"),
    )
)
def ask_for_email_verification(caller: Principal) -> Response:
    one_time.ask_for_verification(me(caller), request.remote_addr or "")
    return Response(status=202)


@blueprint.get("/me/sessions")
@endpoint(Endpoint("The caller's live sessions, newest first", kind=Kind.LIST, answers={200: page_of(shapes.Session)}))
def list_my_sessions(caller: Principal) -> Response:
    found = sessions.list_live_sessions(caller.user_id, times.now())
    shown = [{**each, "current": each["_id"] == caller.session_id} for each in found]
    return page_response(Page(shown, sessions.MAX_LISTED, None), dump_session, "")


@blueprint.delete("/me/sessions/<session_id>")
@endpoint(Endpoint("End one of the caller's sessions", kind=Kind.WRITE, answers={204: None}))
def delete_my_session(caller: Principal, session_id: str) -> Response:
    if not logins.end_session(session_id[:64], caller.user_id, "ended_by_user"):
        raise Problem("not_found")
    return no_content()

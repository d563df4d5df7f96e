"""Sign up, log in, stay logged in, log out."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request

from .. import accounts, logins, one_time
from ..auth import Principal
from ..endpoint import Access, Endpoint, Kind, endpoint
from ..responses import item_response, json_response, no_content
from ..schemas import accounts as shapes
from ..schemas.base import compile_dump

blueprint = Blueprint("auth", __name__)

dump_user = compile_dump(shapes.User)
dump_verified = compile_dump(shapes.Verified)

NO_STORE = {"Cache-Control": "no-store"}


@blueprint.post("/auth/register")
@endpoint(
    Endpoint(
        "Sign up",
        Access.ANYONE,
        Kind.WRITE,
        body=shapes.Registration,
        answers={201: shapes.User},
        problems=("email_taken", "username_taken"),
        limit_by_address="auth_requests_address",
        example={
            "username": "ada",
            "email": "ada@example.org",
            "password": "correct horse 7",
            "name": "Ada Lovelace",
        },
    )
)
def register(body: dict[str, Any]) -> Response:
    user = accounts.create_user(body, None)
    return item_response(user, dump_user, 201, "/api/v1/me")


@blueprint.post("/auth/login")
@endpoint(
    Endpoint(
        "Log in",
        Access.ANYONE,
        Kind.WRITE,
        body=shapes.Login,
        answers={200: shapes.TokenPair},
        problems=("bad_credentials", "too_many_requests"),
        example={"username": "ada", "password": "correct horse 7"},
    )
)
def login(body: dict[str, Any]) -> Response:
    tokens = logins.log_in(body.get("username"), body.get("email"), body["password"])
    return json_response(tokens, headers=NO_STORE)


@blueprint.post("/auth/refresh")
@endpoint(
    Endpoint(
        "Exchange the refresh token for new tokens",
        Access.ANYONE,
        Kind.WRITE,
        body=shapes.Refresh,
        answers={200: shapes.TokenPair},
        problems=("bad_refresh_token", "refresh_superseded"),
        limit_by_address="auth_refreshes_address",
    )
)
def refresh(body: dict[str, Any]) -> Response:
    return json_response(logins.rotate(body["refresh_token"]), headers=NO_STORE)


@blueprint.post("/auth/logout")
@endpoint(Endpoint("End this session", Access.USER, Kind.WRITE, answers={204: None}))
def logout(caller: Principal) -> Response:
    logins.end_session(caller.session_id, caller.user_id, "logout")
    return no_content()


@blueprint.post("/auth/logout-all")
@endpoint(Endpoint("End every session of the caller", Access.USER, Kind.WRITE, answers={204: None}))
def logout_all(caller: Principal) -> Response:
    logins.end_every_session(caller.user_id)
    return no_content()


@blueprint.post("/auth/password-reset")
@endpoint(
    Endpoint(
        "Have a letter sent for a new password; the answer does not tell whether anybody has the address",
        Access.ANYONE,
        Kind.WRITE,
        body=shapes.EmailAddress,
        answers={202: None},
        problems=("too_many_requests",),
    )
)
def ask_for_password_reset(body: dict[str, Any]) -> Response:
    one_time.ask_for_reset(body["email"], request.remote_addr or "")
    return Response(status=202)


@blueprint.post("/auth/password-reset/confirm")
@endpoint(
    Endpoint(
        "Set a new password with the token of a letter; ends every session",
        Access.ANYONE,
        Kind.WRITE,
        body=shapes.PasswordReset,
        answers={204: None},
        problems=("bad_token",),
        limit_by_address="auth_requests_address",
    )
)
def reset_password(body: dict[str, Any]) -> Response:
    one_time.reset_password(body["token"], body["new_password"])
    return no_content()


@blueprint.post("/auth/verify-email")
@endpoint(
    Endpoint(
        "Tell that the address is yours, with the token of a letter",
        Access.ANYONE,
        Kind.WRITE,
        body=shapes.LetterToken,
        answers={204: None},
        problems=("bad_token",),
        limit_by_address="auth_requests_address",
    )
)
def verify_email(body: dict[str, Any]) -> Response:
    one_time.verify_email(body["token"])
    return no_content()


@blueprint.get("/auth/verify")
@endpoint(Endpoint("Is this access token good, for whom, until when", answers={200: shapes.Verified}))
def verify_token(caller: Principal) -> Response:
    verified = {
        "active": True,
        "user_id": caller.user_id,
        "role": caller.role,
        "session_id": caller.session_id,
        "expires_at": datetime.fromtimestamp(caller.token_expires_at, UTC),
    }
    return json_response(dump_verified(verified), headers=NO_STORE)

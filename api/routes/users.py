"""Users, for admins; people see themselves."""

from typing import Any

from flask import Blueprint, Response

from .. import accounts, lists, user_lists
from ..auth import Principal
from ..db import Document
from ..endpoint import Access, Endpoint, Kind, endpoint
from ..errors import Problem
from ..responses import item_response, no_content, object_id, versions_wanted
from ..schemas import accounts as shapes
from ..schemas.base import compile_dump
from ..schemas.lists import page_of
from ..store import users

blueprint = Blueprint("users", __name__)

dump_user = compile_dump(shapes.User)
dump_person = compile_dump(shapes.Person)

NAMES_TAKEN = ("email_taken", "username_taken")


@blueprint.get("/users")
@endpoint(
    Endpoint(
        "List users",
        Access.ADMIN,
        Kind.LIST,
        query=shapes.UserQuery,
        answers={200: page_of(shapes.User)},
        problems=("invalid_cursor",),
    )
)
def list_users(caller: Principal, query: dict[str, Any]) -> Response:
    if "id" in query:
        return lists.answer_by_id(query, user_lists.by_id, dump_user)
    return lists.answer(user_lists.plan(query), query, dump_user)


@blueprint.post("/users")
@endpoint(
    Endpoint(
        "Make a user",
        Access.ADMIN,
        Kind.WRITE,
        body=shapes.UserCreate,
        answers={201: shapes.User},
        problems=NAMES_TAKEN,
        example={
            "username": "grace",
            "email": "grace@example.org",
            "password": "correct horse 7",
            "name": "Grace Hopper",
            "role": "member",
        },
    )
)
def create_user(caller: Principal, body: dict[str, Any]) -> Response:
    user = accounts.create_user(body, caller.user_id)
    return item_response(user, dump_user, 201, f"/api/v1/users/{user['_id']}")


@blueprint.get("/users/directory")
@endpoint(
    Endpoint(
        "Find people by the beginning of a name, or by their ids, to give tasks to",
        kind=Kind.LIST,
        query=shapes.DirectoryQuery,
        answers={200: page_of(shapes.Person)},
        problems=("invalid_cursor",),
    )
)
def list_directory(caller: Principal, query: dict[str, Any]) -> Response:
    if "id" in query:
        return lists.answer_by_id(query, user_lists.names_by_id, dump_person)
    return lists.answer(user_lists.directory(query), query, dump_person)


@blueprint.get("/users/<user_id>")
@endpoint(Endpoint("A user: for admins, and for the user", answers={200: shapes.User, 304: None}, conditional=True))
def get_user(caller: Principal, user_id: str) -> Response:
    wanted = object_id(user_id)
    # Whether there is another user of this id is nobody's business.
    if not caller.is_admin and wanted != caller.user_id:
        raise Problem("not_found")
    return item_response(_find(wanted), dump_user)


@blueprint.patch("/users/<user_id>")
@endpoint(
    Endpoint(
        "Change a user",
        Access.ADMIN,
        Kind.WRITE,
        body=shapes.UserPatch,
        answers={200: shapes.User},
        problems=(*NAMES_TAKEN, "own_account"),
        conditional=True,
        example={"status": "disabled"},
    )
)
def patch_user(caller: Principal, user_id: str, body: dict[str, Any]) -> Response:
    return _update(caller, user_id, body)


@blueprint.put("/users/<user_id>")
@endpoint(
    Endpoint(
        "Replace what can be written of a user",
        Access.ADMIN,
        Kind.WRITE,
        body=shapes.UserPut,
        answers={200: shapes.User},
        problems=(*NAMES_TAKEN, "own_account"),
        conditional=True,
    )
)
def put_user(caller: Principal, user_id: str, body: dict[str, Any]) -> Response:
    return _update(caller, user_id, body)


@blueprint.delete("/users/<user_id>")
@endpoint(
    Endpoint(
        "Delete a user: names at once, tasks and events soon after",
        Access.ADMIN,
        Kind.WRITE,
        answers={204: None},
        problems=("owns_projects", "own_account"),
        conditional=True,
    )
)
def delete_user(caller: Principal, user_id: str) -> Response:
    wanted, versions = object_id(user_id), versions_wanted()
    if wanted == caller.user_id:
        raise Problem("own_account", "Let another admin delete you, so that one always remains.")
    accounts.delete_user(_find(wanted), versions, caller.user_id)
    return no_content()


@blueprint.post("/users/<user_id>/unlock")
@endpoint(
    Endpoint(
        "Let a user log in again who has failed too often",
        Access.ADMIN,
        Kind.WRITE,
        answers={204: None},
    )
)
def unlock_user(caller: Principal, user_id: str) -> Response:
    accounts.unlock(_find(object_id(user_id))["_id"], caller.user_id)
    return no_content()


def _find(user_id: Any) -> Document:
    user = users.find_user(user_id)
    if user is None:
        raise Problem("not_found")
    return user


def _update(caller: Principal, user_id: str, fields: dict[str, Any]) -> Response:
    wanted, versions = object_id(user_id), versions_wanted()
    user = _find(wanted)
    if wanted == caller.user_id and any(fields.get(name, user[name]) != user[name] for name in ("role", "status")):
        raise Problem("own_account", "Let another admin change your role or status, so that one always remains.")
    updated = accounts.update_user(user, fields, versions, caller.user_id)
    if updated["status"] == "disabled":
        accounts.end_sessions(wanted, "disabled")
    return item_response(updated, dump_user)

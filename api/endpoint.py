"""The one decorator of a route: who may call it, what it takes, what it answers, how long it may take.

What it declares is what `openapi` publishes, so the document cannot differ from the code.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import wraps
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from flask import Response, g, request
from marshmallow import Schema, fields

from . import reads, throttle, watch
from .auth import Principal, authenticate, bearer_token, require_admin
from .config import Settings
from .db import deadline
from .errors import Problem, invalid, unavailable
from .idempotency import check_key
from .schemas.base import load
from .services import services
from .tickets import redeem

View = Callable[..., Response]


class Access(Enum):
    """Who may call."""

    ANYONE = "anyone"
    ANYONE_OR_USER = "anyone, or a user"
    USER = "user"
    # Reads session and role anew: what is powerful or about passwords does not trust the cache.
    USER_NOW = "user, checked at once"
    # Or who has a ticket, which stands for one of their tokens.
    TICKET = "user, or a ticket"
    ADMIN = "admin"


class Kind(Enum):
    """What sort of work it is; decides the deadline."""

    ITEM = "item"
    LIST = "list"
    WRITE = "write"

    def milliseconds(self, settings: Settings) -> int:
        """The time this work may take."""
        return int(getattr(settings, f"deadline_{self.value}_ms"))


@dataclass(frozen=True)
class File:
    """A body that is no JSON: its media type, the setting with its greatest length, and one that is taken."""

    media: str
    limit: str
    example: str


@dataclass(frozen=True)
class Endpoint:
    """A route's contract.

    `answers` maps each status of success to a schema, or None for an empty body. `problems` are the codes of `errors`
    that belong to this route in particular; those that its other fields imply are added by `openapi`. `media` are the
    types of an answer that is not JSON; `file` is a body that is none, which the view gets as bytes. Writes that are
    `conditional` need `If-Match`; `lenient` ones heed it where it is sent, and else overwrite any version.
    An answer that lasts is told as `event`s, of which `event_example` is one, and goes on after a `Last-Event-ID`.
    `limit_by_address` is the setting that says how many of its requests one address has in a window.
    """

    summary: str
    access: Access = Access.USER
    kind: Kind = Kind.ITEM
    body: type[Schema] | None = None
    file: File | None = None
    query: type[Schema] | None = None
    answers: Mapping[int, Schema | type[Schema] | None] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    event: type[Schema] | None = None
    event_example: Mapping[str, Any] | None = None
    limit_by_address: str | None = None
    conditional: bool = False
    lenient: bool = False
    idempotent: bool = False
    example: Mapping[str, Any] | None = None
    deprecated: bool = False


def endpoint(contract: Endpoint) -> Callable[[View], View]:
    """Give a view its checked `caller`, `body` and `query`, as far as its contract has them."""
    takes_body = contract.body() if contract.body else None
    takes_query = contract.query() if contract.query else None

    def decorate(view: View) -> View:
        @wraps(view)
        def call(**arguments: Any) -> Response:
            with deadline(_milliseconds(contract.kind)):
                _identify(contract.access, arguments)
                if contract.kind is Kind.WRITE:
                    _admit_write()
                if contract.idempotent:
                    check_key()
                _read_query(takes_query, arguments)
                if takes_body:
                    arguments["body"] = load(takes_body, json_body())
                elif contract.file:
                    arguments["body"] = file_body(contract.file)
                g.any_version = contract.lenient
                return _answer(contract, view, arguments)

        call.contract = contract  # type: ignore[attr-defined]
        return call

    return decorate


def _milliseconds(kind: Kind) -> int:
    """The time that the request may take: a list that may leave shards out must outlive the wait for them."""
    settings = services().settings
    if kind is Kind.LIST and reads.may_be_partial():
        return settings.deadline_partial_ms
    return kind.milliseconds(settings)


def _answer(contract: Endpoint, view: View, arguments: dict[str, Any]) -> Response:
    """What the view answers, its reads done as the request's headers ask for."""

    def work() -> Response:
        # Only now is everything about the request known to be good: what is refused before costs no write.
        if contract.limit_by_address:
            throttle.admit_request(services().settings, contract.limit_by_address, request.remote_addr or "")
        return view(**arguments)

    kind = contract.kind
    if kind is Kind.WRITE:
        watch.keep_moment()
    if reads.are_special():
        caller = arguments.get("caller")
        is_admin = caller is not None and caller.is_admin
        response = reads.as_asked(work, kind is Kind.LIST, is_admin)
    else:
        response = work()
    if kind is Kind.WRITE:
        reads.add_token(response)
    return response


def _identify(access: Access, arguments: dict[str, Any]) -> None:
    if access is Access.ANYONE:
        return
    if access is Access.ANYONE_OR_USER:
        arguments["caller"] = authenticate() if bearer_token() else None
        return
    if access is Access.TICKET and "ticket" in request.args and not bearer_token():
        arguments["caller"] = _holder_of_ticket(request.args["ticket"])
        return
    arguments["caller"] = authenticate(fresh=access is not Access.USER)
    if access is Access.ADMIN:
        require_admin(arguments["caller"])


def _holder_of_ticket(ticket: str) -> Principal:
    if request.method == "HEAD":
        raise Problem("unauthenticated", "A ticket is for one GET.")
    return redeem(ticket)


def _admit_write() -> None:
    """Refuse a write while half of the threads wait on others, so that reads and other shards go on.

    Raises:
        Problem: 503, at once and before anything was done.
    """
    if watch.stuck_writes() >= max(1, services().settings.threads // 2):
        raise unavailable("stuck_writes", "Too many writes are waiting.")


def json_body() -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        Problem: 415 another media type, 400 not a JSON object, 413 too large.
    """
    if request.mimetype not in ("application/json", "application/merge-patch+json"):
        raise Problem("unsupported_media_type", "Send Content-Type: application/json.")
    try:
        # Refuses what the standard library lets pass: NaN, lone surrogates, bytes that are not UTF-8.
        body = orjson.loads(_whole_body(services().settings.max_body_bytes))
    except orjson.JSONDecodeError:
        raise Problem("bad_json", "The body must be a JSON object in UTF-8.") from None
    if not isinstance(body, dict):
        raise Problem("bad_json", "The body must be a JSON object.")
    _refuse_repeated_names(request.get_data())
    return body


def _refuse_repeated_names(data: bytes) -> None:
    """Of two members of one name each reader keeps another one. https://www.rfc-editor.org/rfc/rfc8259#section-4

    orjson cannot tell, so the body is read once more: 1.5 us for a task, 0.2 ms for a hundred of them.
    """
    try:
        _NAMES.decode(data.decode())
    except (ValueError, RecursionError):
        # What orjson has read fails here for its names, or for a depth or a length that no body of ours has.
        raise Problem("bad_json", "An object names a member twice, or is too deep.") from None


def _once_each(members: list[tuple[str, Any]]) -> bool:
    """Raises ValueError when two have one name."""
    if len(dict(members)) < len(members):
        raise ValueError
    return True


_NAMES = json.JSONDecoder(object_pairs_hook=_once_each)


def file_body(file: File) -> bytes:
    """The request's body, of the one media type that is taken.

    Raises:
        Problem: 415 another media type or encoding of characters, 413 too large.
    """
    encoding = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != file.media or encoding not in ("utf-8", "utf8"):
        raise Problem("unsupported_media_type", f"Send Content-Type: {file.media}, in UTF-8.")
    return _whole_body(getattr(services().settings, file.limit))


def _whole_body(most: int) -> bytes:
    """The body of at most so many bytes.

    werkzeug cuts one whose length was not told at its limit: half a file must not look whole. So one byte more is read.
    """
    request.max_content_length = most + 1
    data = request.get_data()
    if len(data) > most:
        raise Problem("too_large")
    return data


def _read_query(schema: Schema | None, arguments: dict[str, Any]) -> None:
    """A parameter that is unknown, or given twice where one is taken, is refused.

    Raises:
        Problem: 422, or 400 where the query is no text at all.
    """
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError:
        raise Problem("bad_request", "The query must be in UTF-8.") from None
    given: dict[str, Any] = {}
    for name, values in request.args.lists():
        takes_many = schema is not None and type(schema.fields.get(name)) is fields.List
        if len(values) > 1 and not takes_many:
            raise invalid(f"/{name}"[:100], "Is given more than once.")
        given[name] = values if takes_many else values[0]
    if schema:
        arguments["query"] = load(schema, given)
    elif given:
        raise invalid(f"/{next(iter(given))}"[:100], "Unknown field.")

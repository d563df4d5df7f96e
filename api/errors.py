"""The one error shape (RFC 9457) and the one place that turns an exception into a status.

A driver's error after a write was sent leaves its outcome unknown (504: ask again with the same Idempotency-Key);
any other failure of the database means that nothing was applied (503: safe to repeat). `watch` knows which it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import orjson
import structlog
from flask import Flask, Response, g, has_request_context, request
from gunicorn.http.errors import ParseException
from pymongo.errors import ConnectionFailure, DuplicateKeyError, ExecutionTimeout, OperationFailure, PyMongoError
from pymongo.errors import WriteConcernError as WriteConcernFailure
from werkzeug.exceptions import HTTPException

from . import watch
from .passwords import TooManyHashes
from .services import services
from .store.claims import ClaimTaken

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1


@dataclass(frozen=True)
class Kind:
    """A sort of problem: its status and its title, which never varies."""

    status: int
    title: str


# code -> kind. The code is what programs compare; texts may be reworded.
KINDS: dict[str, Kind] = {
    "bad_request": Kind(400, "The request cannot be understood"),
    "bad_json": Kind(400, "The body is not a JSON object"),
    "bad_csv": Kind(400, "The body is not a CSV file in UTF-8"),
    "unauthenticated": Kind(401, "A valid access token is needed"),
    "bad_credentials": Kind(401, "Wrong name or password"),
    "bad_refresh_token": Kind(401, "The refresh token is not valid"),
    "forbidden": Kind(403, "Not allowed"),
    "not_found": Kind(404, "Not found"),
    "method_not_allowed": Kind(405, "Method not allowed"),
    "duplicate": Kind(409, "It exists already"),
    "email_taken": Kind(409, "The e-mail address is taken"),
    "username_taken": Kind(409, "The username is taken"),
    "refresh_superseded": Kind(409, "The refresh token was rotated a moment ago"),
    "owns_projects": Kind(409, "The user still owns projects"),
    "project_archived": Kind(409, "The project is archived"),
    "project_full": Kind(409, "The project has as many members as it can"),
    "project_has_tasks": Kind(409, "The project still has open tasks"),
    "own_account": Kind(409, "An admin cannot do this to their own account"),
    "email_verified": Kind(409, "The e-mail address is verified already"),
    "request_in_flight": Kind(409, "The same request is being worked on"),
    "stale_version": Kind(412, "The version is not the current one"),
    "too_large": Kind(413, "The body is too large"),
    "uri_too_long": Kind(414, "The path and query are too long"),
    "unsupported_media_type": Kind(415, "The media type of the body is not taken here"),
    "invalid": Kind(422, "The input is not valid"),
    "invalid_cursor": Kind(422, "The cursor is not valid for this list"),
    "bad_token": Kind(422, "The token of a letter is not valid"),
    "idempotency_key_reused": Kind(422, "The Idempotency-Key was used for another request"),
    "version_required": Kind(428, "If-Match is needed"),
    "too_many_requests": Kind(429, "Too many requests"),
    "too_many_imports": Kind(429, "Too many imports of yours are not finished"),
    "headers_too_large": Kind(431, "The headers are too large"),
    "internal": Kind(500, "The request failed"),
    "unavailable": Kind(503, "Not available now; nothing was changed"),
    "unknown_outcome": Kind(504, "It is not known whether the change was made"),
}

BY_STATUS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    412: "stale_version",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    428: "version_required",
    429: "too_many_requests",
    503: "unavailable",
}

# Answers of a server that is busy, electing, stopping, moving data or out of time: ask again later.
# https://github.com/mongodb/mongo/blob/v6.0/src/mongo/base/error_codes.yml
PASSING_CODES = frozenset(
    (6, 7, 24, 43, 46, 50, 63, 70, 81, 84, 89, 91, 112, 117, 133, 134, 150, 175, 189, 202, 225, 234, 237, 246, 251)
    + (262, 290, 317, 327, 384, 407, 9001, 10107, 11600, 11601, 11602, 13388, 13435, 13436, 46841)
)

# A server may know fewer time zones than Python does: its release brings its own list.
UNKNOWN_TIME_ZONE = 40485


@dataclass(frozen=True)
class FieldError:
    """One field that was refused: a JSON pointer into the body, or the name of a query parameter."""

    pointer: str
    detail: str


class Problem(Exception):
    """A request that cannot be served, told to the client as `code`. Nothing was changed by it."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.reason = reason


def invalid(pointer: str, detail: str, code: str = "invalid") -> Problem:
    """The problem of one refused field."""
    return Problem(code, f"{pointer}: {detail}", [FieldError(pointer, detail)])


def unavailable(reason: str, detail: str) -> Problem:
    """The service refuses for now, before anything was done; counted by `reason`, e.g. `stuck_writes`."""
    return Problem("unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_S)}, reason=reason)


def from_driver(error: PyMongoError) -> Problem | None:
    """What a driver's error means to a client; None when it means a fault of ours."""
    if isinstance(error, DuplicateKeyError):
        return Problem("duplicate", "Another document has the same id or key.")
    if isinstance(error, OperationFailure) and error.code == UNKNOWN_TIME_ZONE:
        return invalid("/tz", "The database does not know this time zone.")
    passing = isinstance(error, ConnectionFailure | ExecutionTimeout | WriteConcernFailure) or error.timeout
    if isinstance(error, OperationFailure) and error.code in PASSING_CODES:
        passing = True
    if not passing:
        return None
    if isinstance(error, WriteConcernFailure) or watch.write_in_doubt():
        return Problem("unknown_outcome", "Repeat it with the same Idempotency-Key, or read before you repeat it.")
    return unavailable("database", "The database did not answer in time. It is safe to repeat the request.")


def respond(problem: Problem) -> Response:
    """The response of a problem."""
    kind = KINDS[problem.code]
    if problem.reason:
        services().metrics.refusals.labels(problem.reason).inc()
    instance = request.path if has_request_context() else ""
    body = body_of(problem, instance, g.get("request_id", ""))
    response = Response(body, kind.status, content_type=MEDIA_TYPE)
    response.headers.update(problem.headers)
    if kind.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def body_of(problem: Problem, instance: str, request_id: str) -> bytes:
    """The one shape, as JSON."""
    kind = KINDS[problem.code]
    body = {
        "type": f"urn:shardboard:problem:{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail or kind.title + ".",
        "instance": instance,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.errors:
        body["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in problem.errors]
    return orjson.dumps(body)


def _from_claim(error: ClaimTaken) -> Response:
    return respond(invalid(f"/{error.kind}", "Is taken.", f"{error.kind}_taken"))


def _from_hashes(_: TooManyHashes) -> Response:
    return respond(unavailable("hash_slots", "Too many passwords are being checked."))


def _from_http(error: HTTPException) -> Response:
    """werkzeug's own errors, in our shape; redirects pass as they are."""
    status = error.code or 500
    if status < 400:
        return cast(Response, error.get_response())
    code = BY_STATUS.get(status, "internal" if status >= 500 else "bad_request")
    headers = {"Allow": ", ".join(error.valid_methods or ())} if status == 405 else {}  # type: ignore[attr-defined]
    return respond(Problem(code, headers=headers))


def _from_body(_: ParseException) -> Response:
    """The server reads a body when the application does: only then is it seen to be broken."""
    return respond(Problem("bad_request", "The body is not framed as its headers say."))


def _from_pymongo(error: PyMongoError) -> Response:
    problem = from_driver(error)
    if problem is None:
        return _from_anything(error)
    if problem.code not in ("duplicate", "invalid"):
        log.warning("database_failure", error=type(error).__name__, mongodb_code=getattr(error, "code", None))
    return respond(problem)


def _from_anything(error: Exception) -> Response:
    # The type and the place, never the message: a driver's message may quote a document.
    log.error("request_failed", error=type(error).__name__, exc_info=place_of(error))
    return respond(Problem("internal", "The fault is ours and has been logged under request_id."))


def place_of(error: BaseException) -> str:
    """The lines that led to `error`, e.g. `api/routes/tasks.py:41 create_task < api/store/tasks.py:30 insert_task`."""
    trace, places = error.__traceback__, []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(places[-6:])


def register(app: Flask) -> None:
    """Send every exception of `app` through this module."""
    app.register_error_handler(Problem, respond)
    app.register_error_handler(ClaimTaken, _from_claim)
    app.register_error_handler(TooManyHashes, _from_hashes)
    app.register_error_handler(HTTPException, _from_http)
    app.register_error_handler(ParseException, _from_body)
    app.register_error_handler(PyMongoError, _from_pymongo)
    app.register_error_handler(Exception, _from_anything)

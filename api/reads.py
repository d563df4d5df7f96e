"""What the headers of a request ask of its reads, around its view: `X-Consistency-Token`, `Prefer`.

A request that has neither header passes by all of this; so does a write but for the token that it answers.
"""

import threading
from collections.abc import Callable

from flask import Response, request
from pymongo.errors import OperationFailure

from . import consistency, watch
from .consistency import BadToken
from .db import SESSION
from .errors import Problem, invalid, unavailable
from .preferences import (
    APPLIED_HEADER,
    EVENTUAL,
    HEADER,
    PARTIAL,
    READING,
    ROUTE_HEADER,
    ROUTE_REPORT,
    Reading,
    wishes_in,
)
from .services import services
from .store.explained import route_of

# Lists of one process that may wait for shards that are away, at once.
_PARTIAL_LISTS = threading.BoundedSemaphore(2)

View = Callable[[], Response]

# The cluster's keys have rotated since, or it is another cluster.
FOREIGN_TIMES = frozenset(("TimeProofMismatch", "KeyNotFound"))


def are_special() -> bool:
    """Whether the request asks for more than the usual."""
    return HEADER in request.headers or consistency.HEADER in request.headers


def may_be_partial() -> bool:
    """Whether the request would rather have some of a list than none."""
    return HEADER in request.headers and PARTIAL in wishes_in(request.headers[HEADER])


def as_asked(view: View, is_list: bool, is_admin: bool) -> Response:
    """`view()`, reading as the request's headers ask for."""
    wishes = wishes_in(request.headers.get(HEADER, ""))
    wishes -= frozenset() if is_list else {EVENTUAL, PARTIAL}
    wishes -= frozenset() if is_admin else {ROUTE_REPORT}
    if PARTIAL not in wishes:
        return _with(Reading(wishes) if wishes else None, view)
    # Such a list holds its thread for long while a shard is away: others must find one.
    if not _PARTIAL_LISTS.acquire(blocking=False):
        raise unavailable("partial_lists", "Too many lists are waiting for shards that are away.")
    try:
        return _with(Reading(wishes), view)
    finally:
        _PARTIAL_LISTS.release()


def _with(reading: Reading | None, view: View) -> Response:
    """`view()`, its reads done as `reading` says, and what came of it told."""
    token = READING.set(reading)
    try:
        response = _as_of(view)
    finally:
        READING.reset(token)
    if reading is not None:
        _report(response, reading)
    return response


def _as_of(view: View) -> Response:
    """`view()`, seeing what the request's consistency token is about."""
    text = request.headers.get(consistency.HEADER)
    if text is None:
        return view()
    try:
        moment = services().moments.open(text)
    except BadToken:
        raise _refusal() from None
    with services().connection.client.start_session(causal_consistency=True) as session:
        moment.move(session)
        token = SESSION.set(session)
        try:
            return view()
        except OperationFailure as error:
            if (error.details or {}).get("codeName") in FOREIGN_TIMES:
                raise _refusal() from error
            raise
        finally:
            SESSION.reset(token)


def _refusal() -> Problem:
    return invalid(f"/{consistency.HEADER}", "Not a token of this service.")


def _report(response: Response, reading: Reading) -> None:
    if ROUTE_REPORT in reading.wishes:
        routes = dict.fromkeys(route_of(command) for command in reading.commands)
        if routes:
            response.headers[ROUTE_HEADER] = ", ".join(routes)
    if reading.applied:
        response.headers[APPLIED_HEADER] = ", ".join(reading.applied)


def add_token(response: Response) -> None:
    """Tell a write's client when it happened."""
    moment = watch.moment()
    if moment is not None:
        response.headers[consistency.HEADER] = services().moments.seal(moment)

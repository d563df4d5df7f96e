"""`Idempotency-Key`: a write and the answer to it are kept together, in one transaction.

The key is taken first. Where another request holds it, that one is still at work: 409 at once. Where it is taken for
good, its answer is sent again. A write that fails leaves no key: it may be tried again.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import orjson
from flask import Response, request
from pymongo.errors import DuplicateKeyError, OperationFailure

from . import times
from .auth import Principal
from .db import Document
from .errors import Problem, invalid
from .services import services
from .store import idempotency

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT_HEADERS = ("Content-Type", "ETag", "Location")
WRITE_CONFLICT = 112

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def once(caller: Principal, write: Callable[[], Response], check: Callable[[], None] = lambda: None) -> Response:
    """`write()`, or the answer that the same request got before. Without the header, just `write()`.

    `check` refuses what may not be written, outside the transaction. A repeated request is not checked again: what it
    names may have gone since.
    """
    if HEADER not in request.headers:
        check()
        return write()
    return once_as(_key_id(caller), _request_hash(), write, check)


def once_of_many(caller: Principal, number: int, operation: Any, write: Callable[[], Response]) -> Response:
    """As `once`, for one of several writes of a request, each of which is kept for itself."""
    if HEADER not in request.headers:
        return write()
    key_id = hashlib.sha256(f"{_key_id(caller)}:{number}".encode()).hexdigest()
    content = orjson.dumps(operation, option=orjson.OPT_SORT_KEYS)
    return once_as(key_id, hashlib.sha256(request.path.encode() + b"\n" + content).hexdigest(), write)


def once_as(
    key_id: str, request_hash: str, write: Callable[[], Response], check: Callable[[], None] = lambda: None
) -> Response:
    """`write()`, or the answer that is kept under `key_id`."""
    kept = idempotency.find_answer(key_id)
    if kept is None:
        check()
        try:
            return services().connection.in_transaction(lambda: _write_and_keep(key_id, request_hash, write))
        except _KeyTaken:
            kept = idempotency.find_answer(key_id)
    if kept is None:
        raise Problem("request_in_flight", "Repeat it in a moment.", headers={"Retry-After": "1"})
    return _replay(kept, request_hash)


class _KeyTaken(Exception):
    """Another request has committed the key since it was looked for. This transaction changed nothing."""


def _write_and_keep(key_id: str, request_hash: str, write: Callable[[], Response]) -> Response:
    try:
        idempotency.insert_answer(key_id, request_hash, times.now())
    except DuplicateKeyError as error:
        raise _KeyTaken from error
    except OperationFailure as error:
        # Retried as a transient error, this would spin until the other request ends.
        if error.code == WRITE_CONFLICT:
            raise Problem("request_in_flight", "Repeat it in a moment.", headers={"Retry-After": "1"}) from error
        raise
    response = write()
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    idempotency.fill_answer(key_id, response.status_code, headers, response.get_data())
    return response


def _replay(kept: Document, request_hash: str) -> Response:
    if kept["request_hash"] != request_hash:
        raise invalid(f"/{HEADER}", "Was used for another request.", "idempotency_key_reused")
    response = Response(bytes(kept["body"]), kept["status"], headers=kept["headers"])
    response.headers[REPLAYED] = "true"
    return response


def check_key() -> None:
    """Refuse a key that is none, before anything is done.

    Raises:
        Problem: 422.
    """
    if HEADER in request.headers and not _KEY.fullmatch(request.headers[HEADER]):
        raise invalid(f"/{HEADER}", "Must be 1 to 200 visible ASCII characters.")


def _key_id(caller: Principal) -> str:
    return hashlib.sha256(f"{caller.user_id}:{request.headers[HEADER]}".encode()).hexdigest()


def _request_hash() -> str:
    """What makes two requests the same one."""
    parts = (request.method, request.full_path, request.headers.get("If-Match", ""))
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + request.get_data()).hexdigest()

"""Many writes of owned resources in one request: each for itself with a result of its own, or all or none.

An operation does what the same request alone would do, and its result is what that would answer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from bson import ObjectId
from flask import Response
from pymongo.errors import PyMongoError

from . import errors, owned, watch
from .auth import Principal
from .errors import FieldError, Problem, invalid
from .idempotency import once, once_of_many
from .ids import public_id
from .owned import Resource
from .responses import item_response, json_response, no_content, owned_key
from .schemas.base import load
from .services import services
from .store.owned import Versions

Operation = Mapping[str, Any]
Write = Callable[[], Response]

PARTS = {"create": {"op", "body"}, "update": {"op", "id", "version", "body"}, "delete": {"op", "id", "version"}}


def answer(resource: Resource, caller: Principal, operations: Sequence[Operation], is_atomic: bool) -> Response:
    """The results of `operations`, in their order.

    Raises:
        Problem: where all or none are wanted, that of the first which failed; nothing was changed.
    """
    if is_atomic:
        return once(caller, lambda: _together(resource, caller, operations))
    results = [_alone(resource, caller, number, each) for number, each in enumerate(operations)]
    return json_response({"results": results})


def _together(resource: Resource, caller: Principal, operations: Sequence[Operation]) -> Response:
    def work() -> list[dict[str, Any]]:
        results = []
        for number, operation in enumerate(operations):
            try:
                results.append(_result(_write(resource, caller, operation)()))
            except Problem as problem:
                raise _placed(problem, number) from problem
        return results

    return json_response({"results": services().connection.in_transaction(work)})


def _placed(problem: Problem, number: int) -> Problem:
    """`problem`, its fields told as those of one operation."""
    at = f"/operations/{number}"
    found = [FieldError(at + error.pointer, error.detail) for error in problem.errors]
    detail = f"{at}: {problem.detail or problem.code}"
    return Problem(problem.code, detail, found or [FieldError(at, detail)], problem.headers)


def _alone(resource: Resource, caller: Principal, number: int, operation: Operation) -> dict[str, Any]:
    watch.begin_part()
    try:
        write = _write(resource, caller, operation)
        return _result(once_of_many(caller, number, operation, write))
    except Problem as problem:
        return _result(errors.respond(problem))
    except PyMongoError as error:
        told = errors.from_driver(error)
        if told is None:
            raise
        return _result(errors.respond(told))


def _result(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = {"status": response.status_code}
    if "ETag" in response.headers:
        found["etag"] = response.headers["ETag"]
    if response.get_data():
        found["body"] = orjson.loads(response.get_data())
    return found


def _write(resource: Resource, caller: Principal, operation: Operation) -> Write:
    """What `operation` does, checked as far as it can be before a transaction.

    Raises:
        Problem: as the same request alone.
    """
    op = operation.get("op")
    if not isinstance(op, str) or op not in PARTS:
        raise invalid("/op", "Must be one of create, update, delete.")
    for name in operation:
        if name not in PARTS[op]:
            raise invalid(f"/{name}"[:100].encode("utf-8", "replace").decode(), "Unknown field.")
    if op == "create":
        return _creation(resource, caller, _body(resource.create, operation))
    key, versions = _key(operation), _versions(operation)
    if op == "delete":
        return lambda: _deleted(resource, caller, key, versions)
    fields = _body(resource.patch, operation)
    owned.check_fields(resource, caller, key[0], fields, key[1])
    return lambda: item_response(owned.update_item(resource, caller, key, fields, versions), resource.dump)


def _creation(resource: Resource, caller: Principal, fields: dict[str, Any]) -> Write:
    owned.check_fields(resource, caller, caller.user_id, fields)

    def write() -> Response:
        item = resource.build(caller.user_id, fields)
        resource.queries.insert_item(item)
        place = f"/api/v1/{resource.plural}/{public_id(item['owner_id'], item['_id'])}"
        return item_response(item, resource.dump, 201, place)

    return write


def _deleted(resource: Resource, caller: Principal, key: tuple[ObjectId, ObjectId], versions: Versions) -> Response:
    owned.delete_item(resource, caller, key, versions)
    return no_content()


def _body(shape: Any, operation: Operation) -> dict[str, Any]:
    if not isinstance(operation.get("body"), dict):
        raise invalid("/body", "Must be an object.")
    try:
        return load(shape(), operation["body"])
    except Problem as problem:
        found = [FieldError("/body" + error.pointer, error.detail) for error in problem.errors]
        raise Problem(problem.code, problem.detail, found) from None


def _key(operation: Operation) -> tuple[ObjectId, ObjectId]:
    if not isinstance(operation.get("id"), str):
        raise invalid("/id", "Must be the id of an item.")
    return owned_key(operation["id"])


def _versions(operation: Operation) -> Versions:
    version = operation.get("version")
    if version is None:
        raise Problem("version_required", "Give the version you have, or * for any.")
    if version == "*":
        return None
    if type(version) is not int:
        raise invalid("/version", "Must be a whole number or *.")
    return {version}

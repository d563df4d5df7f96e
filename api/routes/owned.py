"""The routes that every owned resource has: POST on the list; GET, PUT, PATCH and DELETE on an item."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from flask import Blueprint, Response

from .. import expand, lists, owned
from ..auth import Principal
from ..endpoint import Endpoint, Kind, endpoint
from ..idempotency import once
from ..ids import public_id
from ..owned import Resource
from ..responses import item_response, no_content, owned_key, versions_wanted
from ..schemas.filters import item_query

PREFIX = "/api/v1"

View = Callable[..., Response]


def add_routes(blueprint: Blueprint, resource: Resource) -> None:
    """Put the routes of `resource` on its blueprint; the list is the blueprint's own."""
    noun = resource.noun
    written: dict[str, Any] = {"kind": Kind.WRITE, "idempotent": True, "problems": resource.problems}
    changed = {**written, "answers": {200: resource.item}, "conditional": True}
    changed["problems"] = ("forbidden", *resource.problems)

    def create(caller: Principal, body: dict[str, Any]) -> Response:
        return create_item(resource, caller, body)

    def get(caller: Principal, item_id: str, query: Mapping[str, Any] | None = None) -> Response:
        item = owned.find_item(resource, caller, *owned_key(item_id))
        return lists.answer_item(item, query or {}, resource.dump, expand.for_caller(resource.expansions, caller))

    def update(caller: Principal, item_id: str, body: dict[str, Any]) -> Response:
        return update_item(resource, caller, item_id, body)

    def delete(caller: Principal, item_id: str) -> Response:
        key, versions = owned_key(item_id), versions_wanted()

        def write() -> Response:
            owned.delete_item(resource, caller, key, versions)
            return no_content()

        return once(caller, write)

    made = Endpoint(
        f"Make {_a(noun)}", body=resource.create, answers={201: resource.item}, example=resource.example, **written
    )
    shown = Endpoint(
        f"Show {_a(noun)}", query=item_query(resource.item), answers={200: resource.item, 304: None}, conditional=True
    )
    put = Endpoint(
        f"Replace what can be written of {_a(noun)}", body=resource.create, example=resource.example, **changed
    )
    patched = Endpoint(f"Change {_a(noun)}", body=resource.patch, example=resource.patch_example, **changed)
    deleted = Endpoint(f"Delete {_a(noun)}", **{**changed, "answers": {204: None}, "problems": ("forbidden",)})

    _add(blueprint, "POST", resource, "create", made, create)
    _add(blueprint, "GET", resource, "get", shown, get, on_item=True)
    if resource.has_put:
        _add(blueprint, "PUT", resource, "put", put, update, on_item=True)
    _add(blueprint, "PATCH", resource, "patch", patched, update, on_item=True)
    _add(blueprint, "DELETE", resource, "delete", deleted, delete, on_item=True)


def create_item(resource: Resource, caller: Principal, body: dict[str, Any]) -> Response:
    """The answer to a POST: the caller's new item."""

    def write() -> Response:
        item = resource.build(caller.user_id, body)
        resource.queries.insert_item(item)
        location = f"{PREFIX}/{resource.plural}/{public_id(item['owner_id'], item['_id'])}"
        return item_response(item, resource.dump, 201, location)

    return once(caller, write, lambda: owned.check_fields(resource, caller, caller.user_id, body))


def update_item(resource: Resource, caller: Principal, item_id: str, body: dict[str, Any]) -> Response:
    """The answer to a PUT or PATCH: the item after it."""
    key, versions = owned_key(item_id), versions_wanted()

    def write() -> Response:
        return item_response(owned.update_item(resource, caller, key, body, versions), resource.dump)

    return once(caller, write, lambda: owned.check_fields(resource, caller, key[0], body, key[1]))


def _add(
    blueprint: Blueprint,
    method: str,
    resource: Resource,
    verb: str,
    contract: Endpoint,
    view: View,
    on_item: bool = False,
) -> None:
    """One route, named e.g. `get_task`; its path has the id as `<task_id>`."""
    name, id_name = f"{verb}_{resource.noun}", f"{resource.noun}_id"

    @wraps(view)
    def named(**arguments: Any) -> Response:
        if on_item:
            arguments["item_id"] = arguments.pop(id_name)
        return view(**arguments)

    named.__name__ = name
    path = f"/{resource.plural}/<{id_name}>" if on_item else f"/{resource.plural}"
    blueprint.add_url_rule(path, name, endpoint(contract)(named), methods=[method])


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"

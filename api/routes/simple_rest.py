"""The resources as react-admin's `ra-data-simple-rest` asks for them: the same handlers and permissions, other shapes.

A list is a bare array with its place in `Content-Range`; PUT takes the whole record, needs no `If-Match` and leaves
alone what cannot be written; DELETE answers what was deleted. Problems are those of the handlers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from flask import Flask, Response, request
from marshmallow import Schema

from ..auth import Principal
from ..endpoint import Endpoint, endpoint, json_body
from ..errors import invalid
from ..idempotency import HEADER as IDEMPOTENCY_KEY
from ..responses import JSON
from ..schemas.accounts import Person, User
from ..schemas.base import load
from ..schemas.events import Event
from ..schemas.fields import CommaList
from ..schemas.projects import Project
from ..schemas.reminders import Reminder
from ..schemas.simple_rest import item_query, list_query, record_of
from ..schemas.tasks import Task
from .owned import PREFIX, View

Fields = dict[str, Any]

# Parameters of lists that are no filters.
NOT_FILTERS = frozenset(("sort", "order", "limit", "cursor", "offset", "count", "fields", "expand"))


@dataclass(frozen=True)
class Provided:
    """One resource, whose handlers are its blueprint's `list_<plural>` and `get_<noun>`, and so on.

    `search` is the filter that `q` stands for; `implied` are those that another one brings along.
    """

    plural: str
    noun: str
    shown: type[Schema]
    search: str = "q"
    implied: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


RESOURCES = (
    Provided("tasks", "task", Task, "title__like", {"project_id": {"scope": "project"}}),
    Provided("projects", "project", Project, "name__like"),
    Provided("events", "event", Event),
    Provided("reminders", "reminder", Reminder),
    Provided("users", "user", User),
)
# For choosing people: it can only be read, and only as a list.
DIRECTORY = Provided("directory", "person", Person)


def register(app: Flask) -> None:
    """Put the routes of every resource on `app`, whose own routes are there."""
    for resource in RESOURCES:
        path = f"{PREFIX}/simple-rest/{resource.plural}"
        item = f"{path}/<{resource.noun}_id>"
        _add(app, "GET", path, f"list_{resource.plural}", *_list(app, resource))
        _add(app, "GET", item, f"get_{resource.noun}", *_get(app, resource))
        _add(app, "POST", path, f"create_{resource.noun}", *_create(app, resource))
        _add(app, "PUT", item, f"put_{resource.noun}", *_update(app, resource))
        _add(app, "DELETE", item, f"delete_{resource.noun}", *_delete(app, resource))
    _add(app, "GET", f"{PREFIX}/simple-rest/directory", "list_directory", *_list(app, DIRECTORY))


def _add(app: Flask, method: str, path: str, name: str, contract: Endpoint, view: View) -> None:
    view.__name__ = f"simple_rest_{name}"
    app.add_url_rule(path, f"simple_rest.{name}", endpoint(contract)(view), methods=[method])


def _handler(app: Flask, resource: Provided, name: str) -> tuple[View, Endpoint]:
    """The resource's own handler, and its contract."""
    blueprint = "users" if resource is DIRECTORY else resource.plural
    view: Any = app.view_functions[f"{blueprint}.{name}"]
    return view.__wrapped__, view.contract


def _list(app: Flask, resource: Provided) -> tuple[Endpoint, View]:
    inner, contract = _handler(app, resource, f"list_{resource.plural}")
    asked = contract.query() if contract.query else Schema()

    def view(caller: Principal, query: Fields) -> Response:
        response = inner(caller=caller, query=to_query(resource, asked, query))
        return _rows(response, resource.plural)

    problems = tuple(code for code in contract.problems if code != "invalid_cursor")
    answers = {200: resource.shown(many=True)}
    return replace(contract, query=list_query(resource.shown), answers=answers, problems=problems), view


def _get(app: Flask, resource: Provided) -> tuple[Endpoint, View]:
    inner, contract = _handler(app, resource, f"get_{resource.noun}")
    if contract.query is None:
        return contract, _as_it_is(inner)
    asked = contract.query()

    def view(query: Fields, **arguments: Any) -> Response:
        return inner(query=load(asked, _expand(query)), **arguments)

    return replace(contract, query=item_query(resource.shown)), view


def _expand(query: Mapping[str, Any]) -> dict[str, str]:
    """What is to be embedded, in our words."""
    return {"expand": ",".join(query["embed"])} if "embed" in query else {}


def _as_it_is(inner: View) -> View:
    """The handler's own answer, under another name."""

    def view(**arguments: Any) -> Response:
        return inner(**arguments)

    return view


def _create(app: Flask, resource: Provided) -> tuple[Endpoint, View]:
    inner, contract = _handler(app, resource, f"create_{resource.noun}")
    return replace(contract, body=_record(app, resource, contract, "New{}Record")), _as_it_is(inner)


def _update(app: Flask, resource: Provided) -> tuple[Endpoint, View]:
    get, _ = _handler(app, resource, f"get_{resource.noun}")
    patch, contract = _handler(app, resource, f"patch_{resource.noun}")

    def view(body: Fields, **arguments: Any) -> Response:
        # Forms send back all they were shown: what is as it was is not written, nor has the caller to be allowed to.
        shown, sent = orjson.loads(get(**arguments).get_data()), json_body()
        changed = {name: value for name, value in body.items() if name not in shown or sent[name] != shown[name]}
        return patch(body=changed, **arguments)

    return replace(contract, body=_record(app, resource, contract, "{}Record"), conditional=False, lenient=True), view


def _record(app: Flask, resource: Provided, contract: Endpoint, name: str) -> type[Schema] | None:
    """The body of a write: what its handler takes, in a record."""
    made, shown = _handler(app, resource, f"create_{resource.noun}")[1].body, resource.shown
    return record_of(name.format(shown.__name__), contract.body, shown, made) if contract.body and made else None


def _delete(app: Flask, resource: Provided) -> tuple[Endpoint, View]:
    get, _ = _handler(app, resource, f"get_{resource.noun}")
    delete, contract = _handler(app, resource, f"delete_{resource.noun}")
    id_name = f"{resource.noun}_id"

    def view(caller: Principal, **arguments: Any) -> Response:
        # Sent again, it would find nothing to answer with.
        if IDEMPOTENCY_KEY in request.headers:
            raise invalid(f"/{IDEMPOTENCY_KEY}", "Is not taken here.")
        deleted = get(caller=caller, **{id_name: arguments[id_name]}).get_data()
        delete(caller=caller, **arguments)
        return Response(deleted, content_type=JSON)

    answers = {200: resource.shown}
    return replace(contract, answers=answers, conditional=False, lenient=True, idempotent=False), view


def to_query(resource: Provided, schema: Schema, asked: Mapping[str, Any]) -> Fields:
    """What the resource's own list is asked, `schema` being its query string's.

    Raises:
        Problem: 422 that names a filter, or the sort, which the list does not have.
    """
    given: Fields = {}
    for name, value in asked["filter"].items():
        # What a search box holds once it was emptied.
        if value != "":
            given |= _parameter(schema, resource.search if name == "q" else name, value)
    for name, others in resource.implied.items():
        if name in given:
            given = {**others, **given}
    if "sort" in asked:
        given["sort"] = asked["sort"]
    query = load(schema, given | _expand(asked))
    if "id" not in query:
        first, last = asked["range"]
        query |= {"offset": first, "limit": last - first + 1}
    return query


def _parameter(schema: Schema, name: str, value: Any) -> Fields:
    """A filter as a query string has it: everything is text, and several values are `__in`."""
    if name in NOT_FILTERS:
        raise invalid(f"/{name}", "Unknown field.")
    values = value if isinstance(value, list) else [value]
    if not all(type(each) in (str, int, float, bool) for each in values):
        raise invalid(f"/{name}"[:100], "Must be a string, a number, true, false, or a list of these.")
    texts = [each if isinstance(each, str) else orjson.dumps(each).decode() for each in values]
    if name == "id":
        return {name: texts}
    if isinstance(value, list) and not isinstance(schema.fields.get(name), CommaList):
        name = f"{name}__in"
    return {name: ",".join(texts)}


def _rows(response: Response, plural: str) -> Response:
    """The items of a page alone. Of those asked for by id there are as many as there are."""
    rows = orjson.loads(response.get_data())["data"]
    response.set_data(orjson.dumps(rows))
    if "Content-Range" not in response.headers:
        shown = f"0-{len(rows) - 1}" if rows else "*"
        response.headers["Content-Range"] = f"{plural} {shown}/{len(rows)}"
        response.headers["X-Total-Count"] = str(len(rows))
    # Pages of our own list.
    response.headers.pop("Link", None)
    return response

"""The OpenAPI 3.1 document, made of what the routes declare: every route, parameter, answer and problem."""

import re
import sys
from collections.abc import Iterator
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin, OpenAPIConverter
from flask import Flask
from marshmallow import Schema, fields
from werkzeug.routing import Rule

from .endpoint import Access, Endpoint, Kind
from .errors import KINDS, MEDIA_TYPE
from .openapi_headers import ANSWERED, HEADERS, of_answer, of_request
from .paths import PATH_PATTERNS
from .schemas.fields import CommaList
from .schemas.service import ProblemDocument

TITLE = "Shardboard"
VERSION = "0.1.0"
DESCRIPTION = """\
A data API for dashboards in front of a sharded MongoDB cluster. Register, log in, and send the access token as
`Authorization: Bearer ...`; in Swagger UI, `POST /api/v1/auth/login` does that by itself. Texts are Unicode
without NUL. Every error is an `application/problem+json` document with a `code`. Writes of one item need its `ETag` as
`If-Match`. A write that answers 504 may have been made: repeat it with the same `Idempotency-Key`."""


def _name_of(schema: Any) -> str:
    """A component's name: that of its class."""
    return str((schema if isinstance(schema, type) else type(schema)).__name__)


def _of_commas(_: Any, field: fields.Field, **__: Any) -> dict[str, Any]:
    """`?status__in=a,b`; other lists are repeated parameters."""
    return {"explode": False} if isinstance(field, CommaList) else {}


class Converter(OpenAPIConverter):
    """Tells what schemas and fields know of themselves, besides what apispec reads from them."""

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        return {**super().schema2jsonschema(schema), **getattr(schema, "rules", {})}

    def field2property(self, field: fields.Field) -> dict[str, Any]:
        return {**super().field2property(field), **getattr(field, "rules", {})}


class Plugin(MarshmallowPlugin):
    Converter = Converter


def document(app: Flask) -> dict[str, Any]:
    """The whole document, for the routes that `app` has."""
    plugin = Plugin(schema_name_resolver=_name_of)
    spec = APISpec(TITLE, VERSION, "3.1.0", plugins=[plugin], info={"description": DESCRIPTION})
    if plugin.converter:
        plugin.converter.add_parameter_attribute_function(_of_commas)
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    spec.components.security_scheme("ticket", {"type": "apiKey", "in": "query", "name": "ticket"})
    spec.components.schema("Problem", schema=ProblemDocument)
    for name, header in HEADERS.items():
        spec.components.parameter(name, "header", header)
    for name, header in ANSWERED.items():
        spec.components.header(name, header)
    for code, kind in KINDS.items():
        del kind
        spec.components.response(code, _problem(code))
    for name, description in _tags(app).items():
        spec.tag({"name": name, "description": description})
    for path, operations in _paths(app).items():
        spec.path(path, operations=operations)
    return spec.to_dict()


def _tags(app: Flask) -> dict[str, str]:
    """What each group of routes is about, as the first line of its module says; the older paths last."""
    found: dict[str, str] = {}
    views = {_tag_of(rule): app.view_functions[rule.endpoint] for rule, *_ in _routes(app)}
    for tag in (*(name for name in app.blueprints if name in views), *views):
        module = app.blueprints[tag].import_name if tag in app.blueprints else views[tag].__module__
        found.setdefault(tag, (sys.modules[module].__doc__ or "").partition("\n")[0])
    return dict(sorted(found.items(), key=lambda tag: tag[0] == "aliases"))


def _tag_of(rule: Rule) -> str:
    return rule.endpoint.partition(".")[0]


def _problem(code: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": f"{KINDS[code].title} (`{code}`)", "content": content}


def _paths(app: Flask) -> dict[str, dict[str, Any]]:
    """The operations of each path, in the order of the paths."""
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, contract, name in _routes(app):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(rule))
        paths.setdefault(path, {})[method.lower()] = _operation(rule, method, contract, name)
    return dict(sorted(paths.items()))


def _routes(app: Flask) -> Iterator[tuple[Rule, str, Endpoint, str]]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        contract = getattr(view, "contract", None)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if contract is not None:
                yield rule, method, contract, view.__name__


def _operation(rule: Rule, method: str, contract: Endpoint, name: str) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": name, "summary": contract.summary, "tags": [_tag_of(rule)]}
    if contract.deprecated:
        operation["deprecated"] = True
    parameters = _parameters(rule, method, contract)
    if parameters:
        operation["parameters"] = parameters
    if contract.body or contract.file:
        operation["requestBody"] = _request_body(contract)
    operation["responses"] = {**_answers(contract), **_problems(rule, contract)}
    operation["security"] = _security(contract.access)
    return operation


def _security(access: Access) -> list[dict[str, list[str]]]:
    if access is Access.ANYONE:
        return []
    also: dict[Access, list[dict[str, list[str]]]] = {Access.ANYONE_OR_USER: [{}], Access.TICKET: [{"ticket": []}]}
    return [*also.get(access, []), {"token": []}]


def _parameters(rule: Rule, method: str, contract: Endpoint) -> list[Any]:
    found: list[Any] = [_path_parameter(name) for name in sorted(rule.arguments)]
    if contract.query:
        found.append({"in": "query", "schema": contract.query})
    found += of_request(method, contract)
    return found


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string"} | ({"pattern": PATH_PATTERNS[name]} if name in PATH_PATTERNS else {})
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _request_body(contract: Endpoint) -> dict[str, Any]:
    if contract.file:
        shown = {
            "schema": {"type": "string", "format": contract.file.media.partition("/")[2]},
            "example": contract.file.example,
        }
        return {"required": True, "content": {contract.file.media: shown}}
    return {
        "required": True,
        "content": {"application/json": {"schema": contract.body, "example": example_of(contract)}},
    }


def example_of(contract: Endpoint) -> dict[str, Any]:
    """A body that is taken: the contract's, or one made of its fields' examples."""
    if contract.example is not None or contract.body is None:
        return dict(contract.example or {})
    fields_of = contract.body().fields
    return {name: each.metadata["example"] for name, each in fields_of.items() if "example" in each.metadata}


def _answers(contract: Endpoint) -> dict[str, Any]:
    return {str(status): _answer(status, schema, contract) for status, schema in contract.answers.items()}


def _answer(status: int, schema: Schema | type[Schema] | None, contract: Endpoint) -> dict[str, Any]:
    texts = {200: "Done", 201: "Made", 202: "Accepted", 204: "Done; nothing to show", 304: "Not changed since"}
    texts[503] = "Not available"
    answer: dict[str, Any] = {"description": texts[status]}
    if schema:
        answer["content"] = {"application/json": {"schema": schema}}
    if contract.media:
        answer["content"] = {media: {"schema": contract.event or {"type": "string"}} for media in contract.media}
    if contract.event_example:
        for content in answer["content"].values():
            content["example"] = dict(contract.event_example)
    headers = of_answer(status, contract)
    if headers:
        answer["headers"] = headers
    return answer


def codes_of(rule: Rule, contract: Endpoint) -> list[str]:
    """The problems that a route can answer: its own, and those that its contract implies."""
    codes = list(contract.problems)
    implied = {
        "unauthenticated": contract.access is not Access.ANYONE,
        "forbidden": contract.access is Access.ADMIN,
        "not_found": bool(rule.arguments),
        "bad_request": True,
        "uri_too_long": True,
        "headers_too_large": True,
        "bad_json": bool(contract.body),
        "too_large": bool(contract.body or contract.file),
        "unsupported_media_type": bool(contract.body or contract.file),
        "invalid": True,
        "version_required": contract.conditional and contract.kind is Kind.WRITE,
        "stale_version": (contract.conditional or contract.lenient) and contract.kind is Kind.WRITE,
        "request_in_flight": contract.idempotent,
        "too_many_requests": contract.limit_by_address is not None,
        "idempotency_key_reused": contract.idempotent,
        "internal": True,
        "unavailable": True,
        "unknown_outcome": contract.kind is Kind.WRITE,
    }
    return codes + [code for code, is_implied in implied.items() if is_implied and code not in codes]


def _problems(rule: Rule, contract: Endpoint) -> dict[str, Any]:
    """One response a status; several codes of one status share it and are listed in its description."""
    by_status: dict[int, list[str]] = {}
    for code in codes_of(rule, contract):
        by_status.setdefault(KINDS[code].status, []).append(code)
    responses: dict[str, Any] = {}
    for status, codes in sorted(by_status.items()):
        if status in contract.answers:
            continue
        description = "; ".join(_problem(code)["description"] for code in codes)
        shared = {**_problem(codes[0]), "description": description}
        # apispec takes a name for a response that has headers, when it is `headers_too_large`.
        responses[str(status)] = {"$ref": f"#/components/responses/{codes[0]}"} if len(codes) == 1 else shared
    return responses

"""Every route with its contract, and a good body for each, for tests that are made from them."""

from typing import Any

from api_support import ENVIRON
from marshmallow import Schema, fields

from api import create_app, openapi

# name -> path, method, contract
ROUTES = {name: (str(rule), method, contract) for rule, method, contract, name in openapi._routes(create_app(ENVIRON))}

# Where neither the contract nor its fields have an example.
GOOD_BODIES: dict[str, Any] = {
    "refresh": {"refresh_token": "s" * 32 + "." + "x" * 43},
    "put_user": {"username": "ada", "email": "ada@example.org", "role": "member", "status": "active"},
    "put_project_owner": {"user_id": "0" * 24},
}


def good_body(name: str) -> dict[str, Any]:
    """A body that passes every check that needs no database."""
    contract = ROUTES[name][2]
    return GOOD_BODIES.get(name) or dict(contract.example or examples(contract.body))


def examples(schema: type[Schema] | None) -> dict[str, Any]:
    """The examples of what must be given."""
    return {name: each.metadata["example"] for name, each in schema_fields(schema).items() if each.required}


def schema_fields(schema: type[Schema] | None) -> dict[str, fields.Field]:
    """What may be written; what a record shows besides is passed over."""
    return {name: each for name, each in schema().fields.items() if not each.dump_only} if schema else {}

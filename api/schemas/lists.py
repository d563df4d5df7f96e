"""The envelope of every list."""

from copy import copy
from functools import cache

from marshmallow import Schema, fields, validate

from .base import Strict
from .fields import Int


class Pagination(Strict):
    limit = Int(1, 100, required=True)
    next_cursor = fields.String(required=True, allow_none=True)
    has_more = fields.Boolean(required=True)
    offset = Int(0, metadata={"description": "Of a page by offset."})
    total = Int(0, metadata={"description": "Where `count` asks for it."})
    total_kind = fields.String(
        validate=validate.OneOf(("exact", "estimated", "at_least")),
        metadata={"description": "`at_least`: counting ended there."},
    )


class Links(Strict):
    self = fields.String(required=True)
    next = fields.String(required=True, allow_none=True)
    prev = fields.String(allow_none=True)


# Not a class: `partial` is also the name of an option of every schema.
ListMeta = Strict.from_dict(
    {
        "partial": fields.Boolean(metadata={"description": "Shards are missing; only where `Prefer` allows it."}),
        "missing_shards": fields.List(fields.String(), allow_none=True),
    },
    name="ListMeta",
)


@cache
def page_of(item: type[Schema]) -> type[Schema]:
    """The schema of a page of `item`, named e.g. `TaskPage`."""
    shape = {
        "data": fields.List(fields.Nested(_row_of(item)), required=True),
        "pagination": fields.Nested(Pagination, required=True),
        "links": fields.Nested(Links, required=True),
        "meta": fields.Nested(ListMeta),
    }
    made: type[Schema] = Strict.from_dict(shape, name=f"{item.__name__}Page")
    return made


def _row_of(item: type[Schema]) -> type[Schema]:
    """`item` as a list has it, named e.g. `TaskRow`: of its fields only the id is always there."""
    shown: dict[str, fields.Field] = {name: copy(field) for name, field in item._declared_fields.items()}
    shown["id"].required = True
    made: type[Schema] = Strict.from_dict(shown, name=f"{item.__name__}Row")
    return made

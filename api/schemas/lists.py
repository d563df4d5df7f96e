"""The envelope of every list."""

from functools import cache

from marshmallow import Schema, fields, validate

from .base import Strict
from .fields import Int


class Pagination(Strict):
    limit = Int(1, 100)
    next_cursor = fields.String(allow_none=True)
    has_more = fields.Boolean()
    offset = Int(0, metadata={"description": "Of a page by offset."})
    total = Int(0, metadata={"description": "Where `count` asks for it."})
    total_kind = fields.String(
        validate=validate.OneOf(("exact", "estimated", "at_least")),
        metadata={"description": "`at_least`: counting ended there."},
    )


class Links(Strict):
    self = fields.String()
    next = fields.String(allow_none=True)
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
        "data": fields.List(fields.Nested(item)),
        "pagination": fields.Nested(Pagination),
        "links": fields.Nested(Links),
        "meta": fields.Nested(ListMeta),
    }
    made: type[Schema] = Strict.from_dict(shape, name=f"{item.__name__}Page")
    return made

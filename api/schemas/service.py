"""Wire shapes of the service itself: status, health, statistics, problems."""

from marshmallow import fields, validate

from .base import Shown, Strict
from .fields import Choice, Instant, Int, TimeZone


class Status(Strict):
    status = fields.String(required=True, validate=validate.OneOf(("ok", "unavailable")))


class Ready(Status):
    router = fields.String(required=True, validate=validate.OneOf(("answers", "does not answer")))
    shards = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(("answers", "has no primary"))),
        allow_none=True,
        metadata={"description": "As a router sees them; null when it cannot be asked."},
    )


class ShardMember(Shown):
    address = fields.String()
    is_up = fields.Boolean()
    is_primary = fields.Boolean()


class ShardView(Shown):
    """A shard; its sizes are null while any shard does not answer."""

    name = fields.String()
    is_up = fields.Boolean(metadata={"description": "It has a primary."})
    members = fields.List(fields.Nested(ShardMember))
    documents = Int(0, allow_none=True, metadata={"description": "Orphans included."})
    data_bytes = Int(0, allow_none=True)
    storage_bytes = Int(0, allow_none=True)
    index_bytes = Int(0, allow_none=True)


class BalancerView(Shown):
    mode = fields.String()
    in_round = fields.Boolean()


class RouterView(Shown):
    address = fields.String()
    version = fields.String(allow_none=True)
    seen_at = Instant(allow_none=True)


class ClusterView(Shown):
    """The cluster as its routers know it."""

    shards = fields.List(fields.Nested(ShardView))
    balancer = fields.Nested(BalancerView)
    routers = fields.List(fields.Nested(RouterView))


class StatsQuery(Strict):
    scope = Choice("mine", "all", load_default="mine", metadata={"description": "`all`: of everybody (admin)."})
    tz = TimeZone(
        load_default="UTC", metadata={"description": "Time zone in which days begin.", "example": "Europe/Berlin"}
    )


class Stats(Strict):
    """Without a token: how many of each model there are. With one: the caller's tasks."""

    scope = fields.String(required=True, validate=validate.OneOf(("models", "mine", "all")))
    counted_at = Instant(required=True)
    age_s = Int(0, required=True, metadata={"description": "How old the figures are."})
    count_kind = fields.String(required=True, validate=validate.OneOf(("estimated", "exact")))
    users = Int(0)
    tasks = Int(0)
    projects = Int(0)
    events = Int(0)
    total = Int(0)
    by_status = fields.Dict(keys=fields.String(), values=Int(0))
    by_priority = fields.Dict(keys=fields.String(), values=Int(0))
    overdue = Int(0)
    done_per_day = fields.Dict(
        keys=fields.Date(),
        values=Int(0),
        metadata={"description": "Of the last 30 days; days without any are left out."},
    )


class ProblemField(Shown):
    pointer = fields.String()
    detail = fields.String()


class ProblemDocument(Strict):
    """Every error, as `application/problem+json` (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = Int(400, 599, required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    code = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.List(fields.Nested(ProblemField))

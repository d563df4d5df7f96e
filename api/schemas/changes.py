"""Wire shapes of live changes."""

from marshmallow import fields
from marshmallow.validate import Length, OneOf

from ..store.changes import RESOURCES
from .base import Strict
from .fields import Choice, Int, Text

EVENTS = ("created", "updated", "deleted", "removed", "reset", "heartbeat", "end")
EXAMPLE = {
    "event": "updated",
    "id": "LfTC1KnxG22SC6JLtTCl3UYAAAAEdgAXAAAAETAABAAAAC2-AWsQMQABAAAAAAdpAAAA",
    "data": '{"resource":"tasks","id":"awG-LCEQn2CcQE41awG-LajswKYGQE40","version":2,"item":{}}',
}


class ChangeEvent(Strict):
    """One server-sent event. Its data is JSON: `resource`, `id`, `version` and, unless it is gone, `item`."""

    event = fields.String(validate=OneOf(EVENTS))
    id = fields.String(metadata={"description": "Sent back as `Last-Event-ID`, it lets any process go on from here."})
    data = fields.String()
    retry = Int(0, metadata={"description": "Milliseconds; once, with the first event."})


class ChangesQuery(Strict):
    resource = fields.List(
        Choice(*RESOURCES),
        validate=Length(1, len(RESOURCES)),
        metadata={"description": "Repeated: only of these; of all four unless given."},
    )
    scope = Choice(
        "mine",
        "all",
        load_default="mine",
        metadata={"description": "`mine`: what the caller takes part in; `all`: of everybody (admin)."},
    )
    ticket = Text(
        100, 1, metadata={"description": "Of `POST /changes/ticket`, for who cannot send an Authorization header."}
    )
    last_event_id = Text(
        1000, 1, metadata={"description": "As the header `Last-Event-ID`, for who cannot send one; the header wins."}
    )


class Ticket(Strict):
    """A key to `GET /changes?ticket=`, for one use."""

    ticket = fields.String()
    expires_in = Int(1, metadata={"description": "Seconds."})

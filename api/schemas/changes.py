"""Wire shapes of live changes."""

from marshmallow import fields
from marshmallow.validate import Length

from ..store.changes import RESOURCES
from .base import Strict
from .fields import Choice, Int, Text

EXAMPLE = """\
retry: 1000
event: heartbeat
id: 6Zq0...
data: {}

event: updated
id: 9fK2...
data: {"resource":"tasks","id":"awGU...","version":2,"item":{"id":"awGU...","title":"Write the report","version":2}}

event: removed
id: 1x7b...
data: {"resource":"tasks","id":"bM3x...","version":5}

"""


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

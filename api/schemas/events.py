"""Wire shapes of events."""

from marshmallow import fields

from .base import Shown, Strict
from .fields import Choice, Expanded, Id, Instant, Int, OwnedId, PublicId, Text
from .filters import Filter, id_parameter, page_parameters, query_schema
from .names import PersonName
from .search import RANGE, TEXT, Searchable, search_schema

STARTS_AT, ENDS_AT = {"example": "2030-12-31T20:00:00Z"}, {"example": "2030-12-31T23:00:00Z"}
VENUE, ADDRESS = {"example": "Event Venue"}, {"example": "Event Address"}


class EventCreate(Strict):
    """A new event, and what PUT replaces: what is left out takes its default. `ends_at` is not before `starts_at`."""

    title = Text(200, load_default="", metadata={"example": "Meeting"})
    starts_at = Instant(required=True, metadata=STARTS_AT)
    ends_at = Instant(load_default=None, allow_none=True, metadata=ENDS_AT)
    venue = Text(200, load_default="", metadata=VENUE)
    address = Text(500, load_default="", metadata=ADDRESS)


class EventPatch(Strict):
    """A merge patch: what is left out stays. `null` clears `ends_at`."""

    title = Text(200)
    starts_at = Instant(metadata=STARTS_AT)
    ends_at = Instant(allow_none=True, metadata=ENDS_AT)
    venue = Text(200, metadata=VENUE)
    address = Text(500, metadata=ADDRESS)


class Event(Shown):
    """An event as it is shown, alone and in lists."""

    id = OwnedId()
    title = fields.String()
    starts_at = Instant()
    ends_at = Instant(allow_none=True)
    venue = fields.String()
    address = fields.String()
    owner_id = Id()
    created_at = Instant()
    updated_at = Instant()
    version = Int(1)
    owner = Expanded(PersonName)


# What rules of a search may name. They look through the caller's own events, so no index has to serve each.
EVENT_SEARCH = {
    "title": Searchable(Text(200), TEXT),
    "venue": Searchable(Text(200), TEXT),
    "address": Searchable(Text(500), TEXT),
    "starts_at": Searchable(Instant(), RANGE),
    "ends_at": Searchable(Instant(), (*RANGE, "exists")),
    "created_at": Searchable(Instant(), RANGE),
    "updated_at": Searchable(Instant(), RANGE),
}

SEARCH_EXAMPLE = {
    "condition": "AND",
    "rules": [
        {"field": "starts_at", "operator": "gte", "value": "2030-12-01T00:00:00Z"},
        {
            "condition": "OR",
            "rules": [
                {"field": "venue", "operator": "like", "value": "hall"},
                {"field": "title", "operator": "like", "value": "party"},
            ],
        },
    ],
}

EVENT_SORTS = ("id", "starts_at")

EventSearch = search_schema("EventSearch", Event, EVENT_SORTS, SEARCH_EXAMPLE, {})

EVENT_FILTERS = (Filter("starts_at", lambda: Instant(), ("gt", "gte", "lt", "lte")),)

EventQuery = query_schema(
    "EventQuery",
    EVENT_FILTERS,
    EVENT_SORTS,
    {
        "scope": Choice(
            "mine",
            "all",
            load_default="mine",
            metadata={"description": "`mine`: of the caller; `all`: of everybody (admin)."},
        ),
        "id": id_parameter(PublicId()),
        **page_parameters(Event),
    },
)

"""The id of an event: its place in the stream, signed. It names no document, so it tells nobody anything."""

from bson import ObjectId

from ..cursors import BadCursor, Position
from ..services import services
from .change import Place, place_at

BINDING = "changes"
# A cursor holds an id; a place has none.
NO_ID = ObjectId("0" * 24)

__all__ = ["BadCursor", "open_place", "seal"]


def seal(place: Place) -> str:
    """The id of what was told at `place`."""
    return services().cursors.seal(Position([place.timestamp, place.number], NO_ID), BINDING)


def open_place(text: str) -> Place:
    """The place in an id.

    Raises:
        BadCursor: not one of ours.
    """
    return place_at(*services().cursors.open(text, BINDING).value)

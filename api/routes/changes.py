"""Live changes, as server-sent events."""

from typing import Any

from flask import Blueprint, Response, request, stream_with_context

from .. import tickets
from ..auth import Principal, require_admin
from ..changes.client import Client
from ..changes.feed import Feed
from ..changes.places import BadCursor, open_place
from ..changes.viewer import make_viewer
from ..endpoint import Access, Endpoint, Kind, endpoint
from ..errors import invalid
from ..responses import json_response
from ..schemas import changes as shapes
from ..services import services
from ..store.changes import RESOURCES
from .auth import NO_STORE

blueprint = Blueprint("changes", __name__)

MEDIA = "text/event-stream"
# nginx would keep events until it has a bufferful.
HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache, private, no-transform"}


@blueprint.post("/changes/ticket")
@endpoint(
    Endpoint("A ticket that opens /changes once, within 30 seconds", kind=Kind.WRITE, answers={200: shapes.Ticket})
)
def create_changes_ticket(caller: Principal) -> Response:
    body = {"ticket": tickets.issue(caller), "expires_in": tickets.LIFETIME_S}
    return json_response(body, headers=NO_STORE)


@blueprint.get("/changes")
@endpoint(
    Endpoint(
        "Follow what the caller may see: created, updated, deleted, removed, reset, heartbeat, end",
        Access.TICKET,
        query=shapes.ChangesQuery,
        answers={200: None},
        problems=("forbidden",),
        media=(MEDIA,),
        event=shapes.ChangeEvent,
        event_example=shapes.EXAMPLE,
    )
)
def get_changes(caller: Principal, query: dict[str, Any]) -> Response:
    sees_all = query["scope"] == "all"
    if sees_all:
        require_admin(caller)
    place, hub = _last_place(query), services().changes
    client = Client(caller, request.environ.get("gunicorn.socket"))
    present = hub.join(client)
    if request.method == "HEAD":
        hub.leave(client)
        return Response(content_type=MEDIA, headers=HEADERS)
    try:
        with hub.looking_up:
            wanted = query.get("resource", RESOURCES)
            viewer = make_viewer(caller, wanted, sees_all, present.timestamp, place is None)
    except BaseException:
        hub.leave(client)
        raise
    frames = stream_with_context(Feed(client, viewer, place or present).frames())
    response = Response(frames, content_type=MEDIA, headers=HEADERS)
    response.call_on_close(lambda: hub.leave(client))
    return response


def _last_place(query: dict[str, Any]) -> Any:
    """The place of the last event that the client has; None for one who begins."""
    text = request.headers.get("Last-Event-ID") or query.get("last_event_id")
    if text is None:
        return None
    try:
        return open_place(text)
    except BadCursor:
        raise invalid("/Last-Event-ID", "Not an id of an event of this service.") from None

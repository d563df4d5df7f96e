"""Answers: JSON by orjson, items with their version as ETag, pages in the one envelope; and what `If-Match` asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Response, g, request
from werkzeug.datastructures import ETags

from .cursors import BadCursor, Position
from .db import Document
from .errors import Problem, invalid
from .ids import BadId, parse_object_id, parse_public_id
from .paging import Page
from .preferences import READING
from .schemas.base import Dump
from .schemas.filters import MAX_OFFSET
from .services import services
from .store.owned import Versions

JSON = "application/json"

_VERSION = re.compile(r"[0-9]{1,18}", re.ASCII)


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`body` as JSON."""
    response = Response(orjson.dumps(body), status, content_type=JSON)
    response.headers.update(headers or {})
    return response


def no_content() -> Response:
    return Response(status=204)


def etag_of(document: Document) -> str:
    """`"3"` for version 3."""
    return f'"{document["version"]}"'


def item_response(document: Document, dump: Dump, status: int = 200, location: str | None = None) -> Response:
    """One document with its ETag; 304 where a GET's `If-None-Match` has it already."""
    headers = {"ETag": etag_of(document)}
    if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(str(document["version"])):
        return Response(status=304, headers=headers)
    if location:
        headers["Location"] = location
    return json_response(dump(document), status, headers)


def expanded_response(document: Document, dump: Dump) -> Response:
    """One document with the names of others. They change without it: its ETag is weak, and there is no 304."""
    return json_response(dump(document), headers={"ETag": f"W/{etag_of(document)}"})


def versions_wanted() -> Versions:
    """The versions that `If-Match` lets a write replace; None for any. nginx weakens ETags: `W/"3"` is `"3"`.

    Raises:
        Problem: 428, the header is missing.
    """
    if "If-Match" not in request.headers:
        # An older path, whose clients know no versions.
        if g.get("any_version"):
            return None
        raise Problem("version_required", 'Send the ETag you have as If-Match, such as "3", or * for any version.')
    wanted: ETags = request.if_match
    if wanted.star_tag:
        return None
    return {int(tag) for tag in wanted.as_set(include_weak=True) if _VERSION.fullmatch(tag or "")}


def unless_stale(document: Document, versions: Versions) -> Document:
    """`document`, if it is at one of `versions`.

    Raises:
        Problem: 412, with the present ETag.
    """
    if versions is not None and document["version"] not in versions:
        raise Problem("stale_version", "Read it again: it has changed since.", headers={"ETag": etag_of(document)})
    return document


def missed(document: Document, versions: Versions) -> Problem:
    """Why a conditional write missed a document that the caller can see: it is stale, or not theirs to change."""
    unless_stale(document, versions)
    return Problem("forbidden", "You may see this, and not change it so.")


def owned_key(public_id: str) -> tuple[Any, Any]:
    """`(owner_id, _id)` of a path's id; whatever is no id does not exist."""
    try:
        return parse_public_id(public_id)
    except BadId:
        raise Problem("not_found") from None


def object_id(text: str) -> Any:
    """The ObjectId of a path's id; whatever is no id does not exist."""
    try:
        return parse_object_id(text)
    except BadId:
        raise Problem("not_found") from None


def position_in(query: Mapping[str, Any], binding: str) -> Position | None:
    """Where the page begins that `cursor` asks for.

    Raises:
        Problem: 422, the cursor was changed or belongs to another list.
    """
    if "cursor" not in query:
        return None
    try:
        return services().cursors.open(query["cursor"], binding)
    except BadCursor:
        raise invalid("/cursor", "Not a cursor of this list with this filter and sort.", "invalid_cursor") from None


@dataclass(frozen=True)
class Counted:
    """How many there are, and how that is known: `exact`, `estimated` or `at_least`."""

    total: int
    kind: str


def page_response(
    page: Page, dump: Dump, binding: str, counted: Counted | None = None, plural: str = "items"
) -> Response:
    """A page in its envelope, with `Link` for clients that follow headers, and its size where that was asked for."""
    cursor = services().cursors.seal(page.next_position, binding) if page.next_position else None
    has_more = page.has_more or cursor is not None
    # The next page of a search is asked for in its body.
    links = {"self": request.path, "next": None} if request.method == "POST" else _links(page, cursor)
    pagination = {"limit": page.limit, "next_cursor": cursor, "has_more": has_more}
    if page.offset is not None:
        pagination["offset"] = page.offset
    if counted is not None:
        pagination |= {"total": counted.total, "total_kind": counted.kind}
    body: dict[str, Any] = {
        "data": [dump(document) for document in page.documents],
        "pagination": pagination,
        "links": links,
    }
    reading = READING.get()
    if reading is not None and reading.is_partial:
        body["meta"] = {"partial": True, "missing_shards": services().monitor.missing_shards()}
    relations = [f'<{links[name]}>; rel="{name}"' for name in ("next", "prev") if links.get(name)]
    headers = _count_headers(page, counted, plural)
    return json_response(body, headers=headers | ({"Link": ", ".join(relations)} if relations else {}))


def _links(page: Page, cursor: str | None) -> dict[str, str | None]:
    own = {"self": _url({})}
    if page.offset is None:
        return {**own, "next": _url({"cursor": cursor}) if cursor else None}
    following, before = page.offset + page.limit, max(0, page.offset - page.limit)
    return {
        **own,
        "next": _url({"offset": following}) if page.has_more and following <= MAX_OFFSET else None,
        "prev": _url({"offset": before}) if page.offset else None,
    }


def _count_headers(page: Page, counted: Counted | None, plural: str) -> dict[str, str]:
    """`X-Total-Count: 142` and `Content-Range: tasks 0-24/142`, which data providers read."""
    if counted is None:
        return {}
    headers = {"X-Total-Count": str(counted.total)}
    if page.offset is not None:
        last = page.offset + len(page.documents) - 1
        shown = f"{page.offset}-{last}" if page.documents else "*"
        headers["Content-Range"] = f"{plural} {shown}/{counted.total}"
    return headers


def _url(changes: Mapping[str, Any]) -> str:
    """This request's path and query, with some parameters exchanged."""
    given = [(name, value) for name, value in request.args.items(multi=True) if name not in changes]
    query = urlencode([*given, *changes.items()])
    return f"{request.path}?{query}" if query else request.path

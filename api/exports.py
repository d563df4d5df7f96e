"""A whole list as CSV or NDJSON, streamed page by page: memory does not grow with it.

Pages are read by key, so an export is no snapshot: what changes meanwhile may be in it or not, what does not is, once.
The first page is read before the answer begins. A failure after that breaks the connection: a short file never looks
whole, as its last chunk is missing. https://www.rfc-editor.org/rfc/rfc9112#section-8
"""

import csv
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
from flask import Response, stream_with_context

from .cells import cell_of
from .db import Document, deadline
from .errors import unavailable
from .lists import Listing
from .paging import Page, collect
from .schemas.base import Dump
from .services import services

PAGE = 100
# Exports of one process at once: each holds a thread for as long as its client reads.
MAX_AT_ONCE = 2
_SLOTS = threading.BoundedSemaphore(MAX_AT_ONCE)

Encode = Callable[[Sequence[Document]], bytes]


def answer(listing: Listing, columns: Sequence[str], dump: Dump, form: str) -> Response:
    """All of `listing` as `form`: `csv` or `ndjson`.

    Raises:
        Problem: 503, there are too many exports.
    """
    if not _SLOTS.acquire(blocking=False):
        raise unavailable("exports", "Too many exports are running.")
    try:
        first = _page(listing, None)
    except BaseException:
        _SLOTS.release()
        raise
    encode, head = (_csv_of(columns), _csv_line(columns)) if form == "csv" else (_ndjson, b"")
    media = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    response = Response(stream_with_context(_parts(listing, first, dump, encode, head)), content_type=media)
    response.headers["Content-Disposition"] = f'attachment; filename="{listing.plural}.{form}"'
    response.call_on_close(_SLOTS.release)
    return response


def _page(listing: Listing, page: Page | None) -> Page:
    after = page.next_position if page else None
    return collect(listing.read, listing.clauses, listing.sort, after, PAGE, listing.nullable)


def _parts(listing: Listing, page: Page, dump: Dump, encode: Encode, head: bytes) -> Iterator[bytes]:
    """`head`, then each page; the next one is read when the client has taken the last."""
    if head:
        yield head
    while True:
        if page.documents:
            yield encode([dump(document) for document in page.documents])
        if page.next_position is None:
            return
        with deadline(services().settings.deadline_list_ms):
            page = _page(listing, page)


def _ndjson(items: Sequence[Document]) -> bytes:
    return b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in items)


def _csv_of(columns: Sequence[str]) -> Encode:
    def encode(items: Sequence[Document]) -> bytes:
        return b"".join(_csv_line([cell_of(item[name]) for name in columns]) for item in items)

    return encode


def _csv_line(cells: Sequence[Any]) -> bytes:
    """One line as RFC 4180 has it."""
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()

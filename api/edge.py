"""What every request passes on its way in and out: its id, headers for browsers, and the origins that may call."""

import re
import secrets

from flask import Flask, Response, g, request

from . import watch
from .config import Settings

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,100}")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-site",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

ALLOWED_METHODS = "GET, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Range, If-Match, If-None-Match, Idempotency-Key, Prefer, X-Consistency-Token, "
    "X-Request-Id, Last-Event-ID"
)
EXPOSED_HEADERS = (
    "Content-Range, X-Total-Count, ETag, Location, Link, Retry-After, X-Request-Id, X-Consistency-Token, X-Route, "
    "Preference-Applied, Idempotent-Replayed"
)
PREFLIGHT_MAX_AGE_S = 600


def register(app: Flask, settings: Settings) -> None:
    """Put the hooks on `app`."""

    def on_the_way_in() -> Response | None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _SANE_REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        watch.begin()
        # Whatever the path: a browser shows its page no 404 of a request that it was not let make.
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if is_preflight else None

    def on_the_way_out(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        # Everything depends on who asks; a cache in between could answer somebody else.
        response.headers.setdefault("Cache-Control", "no-store" if request.method != "GET" else "no-cache, private")
        _allow_origin(response, settings.cors_origins)
        return response

    app.before_request(on_the_way_in)
    app.after_request(on_the_way_out)
    app.teardown_request(lambda _: watch.end())


def _allow_origin(response: Response, origins: frozenset[str]) -> None:
    """CORS for the origins of the allow-list, and no word to others. https://fetch.spec.whatwg.org/#http-cors-protocol"""
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin not in origins:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = ALLOWED_METHODS
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_MAX_AGE_S)

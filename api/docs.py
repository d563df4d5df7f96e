"""`/openapi.json` and `/swagger`: the API's own documentation, from an installed package, nothing from elsewhere."""

import base64
import hashlib
import re

import orjson
from flask import Blueprint, Flask, Response
from flask_swagger_ui import get_swaggerui_blueprint

from . import openapi

SWAGGER_URL = "/swagger"
OPENAPI_URL = "/openapi.json"

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def register(app: Flask) -> None:
    """Serve both. The document is made once, on the first request for it."""
    made: list[bytes] = []

    def openapi_json() -> Response:
        if not made:
            made.append(orjson.dumps(openapi.document(app)))
        return Response(made[0], content_type="application/json")

    app.add_url_rule(OPENAPI_URL, view_func=openapi_json)
    app.register_blueprint(_swagger())


def _swagger() -> Blueprint:
    config = {
        "app_name": openapi.TITLE,
        "oauth2RedirectUrl": f"{SWAGGER_URL}/oauth2-redirect.html",
        "persistAuthorization": False,
        "tryItOutEnabled": True,
        "validatorUrl": None,
    }
    blueprint = get_swaggerui_blueprint(SWAGGER_URL, OPENAPI_URL, config)
    blueprint.after_request(_allow_own_scripts)
    return blueprint


def _allow_own_scripts(response: Response) -> Response:
    """A policy under which Swagger UI runs: its files, and the one script in its page by its hash."""
    response.headers["Cache-Control"] = "no-cache"
    if response.mimetype != "text/html" or response.direct_passthrough:
        return response
    scripts = [_hash_of(script) for script in _INLINE_SCRIPT.findall(response.get_data(as_text=True))]
    response.headers["Content-Security-Policy"] = "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *scripts)),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return response


def _hash_of(script: str) -> str:
    """https://www.w3.org/TR/CSP3/#grammardef-hash-source"""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"

"""`/openapi.json` and `/swagger`: the API's own documentation, from an installed package, nothing from elsewhere."""

from pathlib import Path

import flask_swagger_ui
import orjson
from flask import Blueprint, Flask, Response, send_from_directory

from . import openapi

SWAGGER_URL = "/swagger"
OPENAPI_URL = "/openapi.json"

# The page and its script are ours; everything else that Swagger UI is made of comes with the package.
OURS = Path(__file__).parent / "swagger"
PACKAGE = Path(flask_swagger_ui.__file__).parent / "dist"

# Under which Swagger UI runs: it sets styles by script, and its icons are data.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


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
    blueprint = Blueprint("swagger", __name__, url_prefix=SWAGGER_URL)

    @blueprint.get("/")
    @blueprint.get("/<name>")
    def show(name: str = "index.html") -> Response:
        response = send_from_directory(OURS if (OURS / name).is_file() else PACKAGE, name)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return blueprint

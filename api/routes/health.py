"""Can the service answer: for people, for load balancers, for whoever restarts it."""

from flask import Blueprint, Response
from pymongo.errors import PyMongoError

from ..endpoint import Access, Endpoint, endpoint
from ..responses import json_response
from ..schemas.service import Ready, Status
from ..services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/api/v1/status")
@endpoint(Endpoint("Can the service answer", Access.ANYONE, answers={200: Status, 503: Status}))
def get_status() -> Response:
    return _answer({}, {})


@blueprint.get("/health/live")
@endpoint(Endpoint("The process runs", Access.ANYONE, answers={200: Status}))
def get_live() -> Response:
    return json_response({"status": "ok"})


@blueprint.get("/health/ready")
@endpoint(Endpoint("A router answers", Access.ANYONE, answers={200: Ready, 503: Ready}))
def get_ready() -> Response:
    return _answer({"router": "answers"}, {"router": "does not answer"}, tells_shards=True)


def _answer(good: dict[str, str], bad: dict[str, str], tells_shards: bool = False) -> Response:
    """A shard that is away makes the service no less ready: the others are served, and so is the word of it."""
    try:
        services().connection.ping()
    except PyMongoError:
        return json_response({"status": "unavailable", **bad}, 503, {"Retry-After": "1"})
    shards = {"shards": services().monitor.reachability()} if tells_shards else {}
    return json_response({"status": "ok", **good, **shards})

"""The cluster behind the API, for admins: what its routers know of it."""

from typing import Any

from flask import Blueprint, Response
from pymongo.errors import PyMongoError

from ..auth import Principal
from ..db import Document
from ..endpoint import Access, Endpoint, Kind, endpoint
from ..errors import unavailable
from ..monitor import is_up
from ..responses import json_response
from ..schemas.service import ClusterView
from ..services import services

blueprint = Blueprint("cluster", __name__)


@blueprint.get("/cluster")
@endpoint(Endpoint("Shards, members, data, balancer and routers", Access.ADMIN, Kind.LIST, answers={200: ClusterView}))
def get_cluster(caller: Principal) -> Response:
    monitor = services().monitor
    if not monitor.is_there:
        raise unavailable("no_monitor", "MONGODB_MONITOR_URI is not set, so nobody can look at the cluster.")
    shards = monitor.shards()
    sizes = _sizes(services().settings.mongodb_db)
    balancer = monitor.command("balancerStatus")
    view = {
        "shards": [_shard(name, members, sizes.get(name, {})) for name, members in sorted(shards.items())],
        "balancer": {"mode": balancer["mode"], "in_round": bool(balancer["inBalancerRound"])},
        "routers": monitor.routers(),
    }
    return json_response(view)


def _sizes(database: str) -> dict[str, Document]:
    """What each shard tells of its part; nothing while one of them does not answer."""
    try:
        found: dict[str, Document] = services().monitor.command("dbStats", database)["raw"]
    except PyMongoError:
        return {}
    # A router may name a shard with its members: `shard-1/a:1,b:1`.
    return {name.partition("/")[0]: size for name, size in found.items()}


def _shard(name: str, members: list[Document], size: Document) -> dict[str, Any]:
    counted = {key: int(size[field]) if field in size else None for key, field in SIZES.items()}
    return {"name": name, "is_up": is_up(members), "members": members, **counted}


SIZES = {"documents": "objects", "data_bytes": "dataSize", "storage_bytes": "storageSize", "index_bytes": "indexSize"}

"""The picture of a cluster of which only the routers are known: what they cannot tell is shown as not asked."""

from collections.abc import Callable

import pymongo
from pymongo.errors import PyMongoError

from .connections import Client, why
from .observe import read_access, router_status
from .routing import ROUTING_TIMEOUT_S, read_routing
from .secrets import Secrets
from .status import UNSEEN, Access, ClusterStatus, MemberStatus, RouterStatus, SetStatus
from .topology import Router


def observe_routers(client: Client, secrets: Secrets, database: str) -> ClusterStatus:
    """The state as the routers of `client` see it.

    Raises:
        PyMongoError: no router answers.
    """
    with pymongo.timeout(ROUTING_TIMEOUT_S):
        known = client.admin.command("getShardMap")["map"]
    sets = tuple(_set(name, seed) for name, seed in sorted(known.items()) if "/" in seed)
    access, error = _access(lambda: read_access(client, secrets, database))
    return ClusterStatus(sets, _routers(client), read_routing(client, None, database), None, (), access, error)


def _set(name: str, seed: str) -> SetStatus:
    """`getShardMap` gives `shard-1/10.0.0.11:27018,10.0.0.12:27018` by shard, and one such for the config set."""
    addresses = seed.partition("/")[2].split(",")
    return SetStatus(name, tuple(MemberStatus(address, address, UNSEEN) for address in addresses))


def _routers(client: Client) -> tuple[RouterStatus, ...]:
    return tuple(
        router_status(Router(f"router-{i}", host, port or 27017), client)
        for i, (host, port) in enumerate(sorted(client.nodes), 1)
    )


def _access(read: Callable[[], Access]) -> tuple[Access | None, str | None]:
    try:
        return read(), None
    except PyMongoError as error:
        return None, why(error)

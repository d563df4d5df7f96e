"""What a router costs: ratios within one run, never absolute times."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from pymongo import MongoClient, WriteConcern
from scratch import ids_on, router_client, sharded

from cluster.local import LocalCluster

ROUNDS, CALLS = 8, 100
MOST = 3.0


def cost_ratio(through: Callable[[], Any], straight: Callable[[], Any]) -> float:
    """Median latency of `through` over that of `straight`: the quietest of several interleaved rounds."""
    ratios = []
    for _ in range(ROUNDS):
        times: dict[str, list[float]] = {"through": [], "straight": []}
        for _ in range(CALLS):
            for name, call in (("through", through), ("straight", straight)):
                started = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - started)
        ratios.append(statistics.median(times["through"]) / statistics.median(times["straight"]))
    return min(ratios)


def test_targeted_calls_cost_at_most_three_times_a_direct_call(cluster: LocalCluster, admin_client: MongoClient[Any]):
    """A find and an insert by key, against the same call sent straight to the shard's primary."""
    with sharded(admin_client) as things, router_client(cluster, 0) as client, cluster.connections() as connections:
        shard = cluster.cluster.shards[0]
        primary = cluster.primary(shard)
        assert primary is not None
        # No majority: how long the other members take is the same on both ways, and would hide the router.
        options = {"write_concern": WriteConcern(1)}
        routed = client[things.database.name].get_collection(things.name, **options)
        direct = connections.member(primary)[things.database.name].get_collection(things.name, **options)
        key = ids_on(things, shard.name, 1)[0]
        things.insert_one({"_id": key})

        find = cost_ratio(lambda: routed.find_one({"_id": key}), lambda: direct.find_one({"_id": key}))
        insert = cost_ratio(lambda: routed.insert_one({}), lambda: direct.insert_one({}))

    print(f"through {cluster.router_kind}: find {find:.2f} x, insert {insert:.2f} x the direct call")
    assert find <= MOST
    assert insert <= MOST

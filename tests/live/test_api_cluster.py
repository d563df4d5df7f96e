"""What the API tells of the cluster behind it: to admins everything, to whoever restarts services what is away."""

from dataclasses import replace

import pytest
import requests
from api_support import Caller, assert_problem, ok, sign_up
from support import Login
from two_routers import door

from cluster.local import LocalCluster
from cluster.progress import Progress
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until


def test_an_admin_sees_the_cluster(api: Services, admin: Login, cluster: LocalCluster) -> None:
    """Every shard with its members and sizes, the balancer, the routers; nobody else does."""
    view = ok(Caller(api.url, admin.headers).get("/cluster"))

    assert [shard["name"] for shard in view["shards"]] == ["shard-1", "shard-2"]
    for shard, planned in zip(view["shards"], cluster.cluster.shards, strict=True):
        assert shard["is_up"] is True
        assert {member["address"] for member in shard["members"]} == {each.address for each in planned.members}
        assert sum(member["is_primary"] for member in shard["members"]) == 1
        assert shard["documents"] >= 0 and shard["index_bytes"] > 0
    assert view["balancer"]["mode"] in ("full", "off")
    assert {router["address"].rpartition(":")[2] for router in view["routers"]} >= {
        str(router.port) for router in cluster.cluster.routers
    }
    assert_problem(sign_up(api.url).get("/cluster"), 403)
    assert_problem(Caller(api.url).get("/cluster"), 401)


def test_readiness_names_every_shard(api: Services) -> None:
    answer = requests.get(f"{api.url}/health/ready", timeout=10)
    assert ok(answer) == {
        "status": "ok",
        "router": "answers",
        "shards": {"shard-1": "answers", "shard-2": "answers"},
    }


def test_a_shard_that_is_away_is_named(spare_cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service stays ready: what lies on the other one is served."""
    monkeypatch.setattr("api.monitor.FRESH_S", 0)
    with door(spare_cluster, 0) as found:
        ready = replace(found)
        lost = spare_cluster.cluster.shards[1].members[0]
        spare_cluster.nodes.kill(lost)
        try:

            def require_word_of_it() -> None:
                answer = ready.app.test_client().get("/health/ready")
                assert answer.status_code == 200
                shards = answer.get_json()["shards"]
                if shards != {"shard-1": "answers", "shard-2": "has no primary"}:
                    raise NotReady(str(shards))

            wait_until("word of the lost shard", require_word_of_it, 30)
        finally:
            spare_cluster.up(Progress(quiet=True))

"""The verdict over a picture of a cluster."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cluster import table
from cluster.status import (
    ClusterStatus,
    CollectionStatus,
    Holding,
    MemberStatus,
    RouterStatus,
    Routing,
    SetStatus,
)


def member(name: str, state: str = "SECONDARY", lag_s: float = 0.0) -> MemberStatus:
    return MemberStatus(name, "127.0.0.1:1", state, "6.0.5", 60, lag_s)


def replica_set(name: str) -> SetStatus:
    return SetStatus(name, (member(f"{name}-a", "PRIMARY"), member(f"{name}-b"), member(f"{name}-c")))


TASKS = CollectionStatus("tasks", True, (Holding("shard-1", 2, 30, 3_000), Holding("shard-2", 2, 10, 1_000)))
ROUTING = Routing(("shard-1", "shard-2"), (), (), (), (TASKS,), balancer_on=True)
HEALTHY = ClusterStatus(
    (replica_set("config"), replica_set("shard-1"), replica_set("shard-2")),
    (RouterStatus("router-1", "127.0.0.1:27017", "6.0.5"),),
    ROUTING,
)


def with_member(changed: MemberStatus) -> ClusterStatus:
    """The healthy cluster with the last member of shard-2 replaced."""
    last = HEALTHY.sets[-1]
    return replace(HEALTHY, sets=(*HEALTHY.sets[:-1], replace(last, members=(*last.members[:-1], changed))))


def test_a_healthy_cluster_has_no_problem() -> None:
    """None is the verdict that bring-up waits for."""
    assert HEALTHY.problem() is None
    assert HEALTHY.problems() == ()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (member("shard-2-c", "RECOVERING"), "shard-2-c at 127.0.0.1:1 is RECOVERING."),
        (member("shard-2-c", "STARTUP2"), "shard-2-c at 127.0.0.1:1 is STARTUP2."),
        (member("shard-2-c", lag_s=31.0), "shard-2-c at 127.0.0.1:1 is 31 s behind its primary."),
        (
            MemberStatus("shard-2-c", "127.0.0.1:1", "DOWN", error="connection refused"),
            "shard-2-c at 127.0.0.1:1 does not answer: connection refused.",
        ),
    ],
)
def test_a_member_in_trouble_is_named(changed: MemberStatus, sentence: str) -> None:
    """One sentence that says which and why."""
    assert with_member(changed).problem() == sentence


@pytest.mark.parametrize(("days", "said"), [(None, None), (30, None), (29, "ends in 29 days"), (-1, "ends in -1 days")])
def test_a_certificate_that_ends_soon_is_a_problem(days: int | None, said: str | None) -> None:
    """A month ahead, of members and routers; where there is no TLS there is none."""
    near = replace(member("shard-2-c"), certificate_days=days)
    router = RouterStatus("router-1", "127.0.0.1:27017", "6.0.5", certificate_days=days)

    found = (with_member(near).problem(), replace(HEALTHY, routers=(router,)).problem())

    if said is None:
        assert found == (None, None)
    else:
        assert all(said in str(problem) and "scripts/cluster secrets --tls" in str(problem) for problem in found)


def test_a_set_without_primary_comes_before_its_members() -> None:
    """What stops the most work is said first."""
    headless = SetStatus("shard-1", (member("shard-1-a"), member("shard-1-b", "DOWN")))

    problems = replace(HEALTHY, sets=(HEALTHY.sets[0], headless)).problems()

    assert problems[0] == "shard-1 has no primary: it takes no writes."


def test_a_cluster_that_does_not_run_is_one_sentence() -> None:
    """Nine members that are down are one fact, with one remedy."""
    down = MemberStatus("config-a", "127.0.0.1:1", "DOWN", error="refused")
    picture = ClusterStatus(
        (SetStatus("config", (down,)),), (RouterStatus("router-1", "127.0.0.1:2", error="refused"),), None, "none"
    )

    assert picture.problems() == ("Nothing answers: start the cluster with `scripts/cluster up`.",)


def test_a_missing_shard_and_missing_collections_name_the_remedy() -> None:
    """A half-finished bring-up is told from a finished one."""
    routing = replace(ROUTING, missing_shards=("shard-2",), missing_collections=("tasks", "users"))

    problems = replace(HEALTHY, routing=routing).problems()

    assert problems[0].startswith("shard-2 has not been added")
    assert "tasks, users" in problems[1] and "scripts/cluster init" in problems[1]


def test_a_router_that_is_down_is_one_problem_not_two() -> None:
    """When no router answers, that the routing cannot be read is no news."""
    picture = replace(HEALTHY, routers=(RouterStatus("router-1", "h:1", error="refused"),), routing=None)

    assert picture.problems() == ("router-1 at h:1 does not answer: refused.",)


def test_skew_compares_the_fullest_shard_with_an_even_share() -> None:
    """30 of 40 documents on one of two shards is one and a half times its share."""
    assert TASKS.skew == 1.5
    assert CollectionStatus("empty", True, (Holding("shard-1", 2, 0, 0),)).skew is None


def test_json_carries_the_verdict_and_the_picture() -> None:
    """What a program reads."""
    shown = json.loads(json.dumps(table.document(HEALTHY)))

    assert shown["healthy"] is True and shown["problems"] == []
    assert shown["sets"][0]["members"][0]["state"] == "PRIMARY"


def test_the_table_starts_with_the_verdict() -> None:
    """A person reads one line and stops when it is good."""
    out = io.StringIO()

    table.show(with_member(member("shard-2-c", "RECOVERING")), Console(file=out, width=140))

    lines = out.getvalue().splitlines()
    assert lines[:2] == ["Not healthy:", "  shard-2-c at 127.0.0.1:1 is RECOVERING."]
    assert any("30, 0.0" in line and "10, 0.0" in line for line in lines)

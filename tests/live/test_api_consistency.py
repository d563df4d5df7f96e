"""What headers ask of reads: to see a write made elsewhere, to spare primaries, to do without a shard, to tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from api_support import assert_problem
from pymongo import MongoClient
from two_routers import Door, door, newcomer, token_of

from api.services import services
from cluster.local import LocalCluster
from cluster.progress import Progress
from cluster.run.services import ADMIN_USERNAME, Services

TOKEN = "X-Consistency-Token"
EVENTUAL = {"Prefer": "consistency=eventual"}


@pytest.fixture(scope="module")
def doors(cluster: LocalCluster, api: Services) -> Iterator[tuple[Door, Door]]:
    """The same person at the API through the first router, and through the second."""
    with door(cluster, 0) as first, door(cluster, 1) as second:
        headers = newcomer(first)
        yield replace(first, headers=headers), replace(second, headers=headers)


@pytest.fixture(scope="module")
def boss(doors: tuple[Door, Door], api: Services) -> Door:
    """The first administrator at the second router."""
    return replace(doors[1], headers=token_of(doors[1], ADMIN_USERNAME, api.admin_password))


def make(at: Door, **fields: Any) -> tuple[str, str]:
    """The path and the token of a new task."""
    made = at.call("POST", "/tasks", {"title": "x", **fields})
    assert made.status_code == 201, made.text
    return f"/tasks/{made.get_json()['id']}", made.headers[TOKEN]


def test_a_read_with_a_token_sees_the_write_through_another_router(doors: tuple[Door, Door]) -> None:
    """Even from a secondary, which is told to wait until it has it."""
    here, there = doors
    for number in range(15):
        path, token = make(here, title=f"t{number}")
        assert there.call("GET", path, headers={TOKEN: token}).status_code == 200
        changed = here.call("PATCH", path, {"status": "done"}, {"If-Match": "*"})
        listed = there.call("GET", "/tasks", headers={**EVENTUAL, TOKEN: changed.headers[TOKEN]}, limit=1)

        assert [(task["title"], task["status"]) for task in listed.get_json()["data"]] == [(f"t{number}", "done")]
        command = there.named("tasks.list_tasks_of_owner")
        assert command["$readPreference"]["mode"] == "secondaryPreferred"
        assert command["readConcern"]["afterClusterTime"] is not None


def test_every_write_answers_a_token(doors: tuple[Door, Door]) -> None:
    """Also one in a transaction, a repeated one, and a deletion; a read answers none."""
    here, there = doors
    key = {"Idempotency-Key": "consistency-0001"}
    answers = [here.call("POST", "/tasks", {"title": "once"}, key) for _ in range(2)]
    path = f"/tasks/{answers[0].get_json()['id']}"
    answers += [here.call("PUT", path, {"title": "y"}, {"If-Match": "*"})]

    for answer in answers:
        assert there.call("GET", path, headers={TOKEN: answer.headers[TOKEN]}).status_code == 200
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert TOKEN not in here.call("GET", path).headers
    deleted = here.call("DELETE", path, headers={"If-Match": "*"})
    assert there.call("GET", path, headers={TOKEN: deleted.headers[TOKEN]}).status_code == 404


def test_a_request_without_a_token_has_no_session_of_its_own(doors: tuple[Door, Door]) -> None:
    """Nor a time to wait for, nor a secondary: it pays for nothing."""
    here = doors[0]
    here.call("GET", "/tasks")
    command = here.named("tasks.list_tasks_of_owner")

    assert "$readPreference" not in command or command["$readPreference"]["mode"] == "primary"
    assert command["readConcern"] == {"level": "majority"}


@pytest.mark.parametrize("token", ["", "x", "A" * 80, "é", "A" * 5000])
def test_what_is_no_token_of_ours_is_refused(doors: tuple[Door, Door], token: str) -> None:
    """Not passed over: the client would believe to see its write."""
    answer = doors[0].call("GET", "/tasks", headers={TOKEN: token})

    assert_problem(answer, 422)
    assert [error["pointer"] for error in answer.get_json(force=True)["errors"]] == [f"/{TOKEN}"]


def test_an_item_is_never_read_from_a_secondary(doors: tuple[Door, Door]) -> None:
    """The preference is for lists."""
    here = doors[0]
    path, _ = make(here)
    answer = here.call("GET", path, headers=EVENTUAL)

    assert "Preference-Applied" not in answer.headers
    assert "$readPreference" not in here.named("tasks.find_task")
    listed = here.call("GET", "/tasks", headers=EVENTUAL)
    assert listed.headers["Preference-Applied"] == "consistency=eventual"


def test_an_admin_is_told_which_shards_were_asked(doors: tuple[Door, Door], boss: Door) -> None:
    """Of reads; nobody else is."""
    path, _ = make(doors[0])
    report = {"Prefer": "route-report"}

    item = boss.call("GET", path, headers=report)
    everybody = boss.call("GET", "/tasks", headers=report, scope="all")
    mine = boss.call("GET", "/tasks", headers=report)
    made = boss.call("POST", "/tasks", {"title": "z"}, report)

    for answer in (item, mine, made):
        assert answer.headers["X-Route"] in ("targeted shard-1", "targeted shard-2")
        assert answer.headers["Preference-Applied"] == "route-report"
    assert everybody.headers["X-Route"] == "scatter 2/2"
    assert "X-Route" not in doors[0].call("GET", path, headers=report).headers


def test_a_whole_list_is_not_called_partial(boss: Door) -> None:
    """The wish was followed, and there was no need for it."""
    answer = boss.call("GET", "/tasks", headers={"Prefer": "partial"}, scope="all", limit=2)

    assert answer.headers["Preference-Applied"] == "partial"
    assert boss.named("tasks.list_all_tasks")["allowPartialResults"] is True
    assert len(answer.get_json()["data"]) == 2
    assert "meta" not in answer.get_json()
    following = answer.get_json()["pagination"]["next_cursor"]
    assert boss.call("GET", "/tasks", headers={"Prefer": "partial"}, scope="all", cursor=following).status_code == 200


def test_a_list_is_shown_without_a_shard_that_is_away(
    spare_cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 with what the other one has, and the name of the missing one; without the wish it is 503."""
    monkeypatch.setattr("api.standing.FRESH_S", 3600)
    with door(spare_cluster, 0) as found:
        people = [replace(found, headers=newcomer(found)) for _ in range(4)]
        for who in people:
            make(who)
        boss = people[0]
        with found.app.app_context():
            services().connection.collection("users").update_many({}, {"$set": {"role": "admin"}})
        services_of(found).standing._known.clear()
        assert len(boss.call("GET", "/tasks", scope="all").get_json()["data"]) == 4
        require_longer_than_a_router_looks(spare_cluster, services_of(found).settings.deadline_partial_ms)
        look_for_shards(spare_cluster, 1_000)
        lost = spare_cluster.cluster.shards[1].members[0]
        spare_cluster.nodes.kill(lost)
        try:
            whole = boss.call("GET", "/tasks", scope="all")
            part = boss.call("GET", "/tasks", headers={"Prefer": "partial"}, scope="all")
        finally:
            look_for_shards(spare_cluster, ROUTER_LOOKS_MS)
            spare_cluster.up(Progress(quiet=True))

    assert_problem(whole, 503)
    assert part.status_code == 200, part.text
    assert part.get_json()["meta"] == {"partial": True, "missing_shards": ["shard-2"]}
    assert part.headers["Preference-Applied"] == "partial"


# How long a router looks for a member of a shard before it gives it up, unless told otherwise.
ROUTER_LOOKS_MS, LOOKING = 15_000, "defaultFindReplicaSetHostTimeoutMS"


def look_for_shards(cluster: LocalCluster, milliseconds: int) -> None:
    """Have the shards that do a router's work behind a stand-in look so long; a real router of 4.4 cannot be told."""
    with routing(cluster) as members:
        for member in members:
            member.admin.command("setParameter", 1, **{LOOKING: milliseconds})


def require_longer_than_a_router_looks(cluster: LocalCluster, deadline_ms: int) -> None:
    """The default is as the API's deadline for such lists takes it to be."""
    with routing(cluster) as members:
        for member in members:
            assert member.admin.command("getParameter", 1, **{LOOKING: 1})[LOOKING] == ROUTER_LOOKS_MS < deadline_ms


@contextmanager
def routing(cluster: LocalCluster) -> Iterator[list[MongoClient[Any]]]:
    """The members of shards that run, where they do a router's work."""
    is_stand_in = cluster.router_kind.startswith("stand-in")
    members = [member for shard in cluster.cluster.shards for member in shard.members if cluster.nodes.pid(member)]
    with cluster.connections() as connections:
        yield [connections.member(member) for member in members if is_stand_in]


def services_of(found: Door) -> Any:
    """The long-lived parts of an API of this process."""
    return found.app.extensions["shardboard"]

"""Killing a shard's primary under load: what a client of the API sees of it."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from api_support import Caller, ok, sign_up

from cluster.local import LocalCluster
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

WRITERS = 3


@dataclass
class Load:
    """People who write and read tasks until they are told to stop."""

    people: list[Caller]
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self.run, args=(who,)) for who in self.people]
        for thread in self._threads:
            thread.start()

    def run(self, who: Caller) -> None:
        while not self._stop.is_set():
            answer = who.post("/tasks", {"title": "under load"})
            self.statuses[answer.status_code] += 1
            if answer.status_code == 201:
                self.acknowledged.add(answer.json()["id"])

    def stop(self) -> None:
        """Returns when the last request has been answered: only then is it known what was acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def load(breakable: LocalCluster, api: Services) -> Iterator[Load]:
    """Running; stopped at the latest when the test ends."""
    found = Load([sign_up(api.url) for _ in range(WRITERS)])
    found.start()
    yield found
    found.stop()


def wait_more(load: Load, more: int) -> None:
    """Returns when `more` further tasks have been acknowledged."""
    goal = len(load.acknowledged) + more

    def probe() -> None:
        if len(load.acknowledged) < goal:
            raise NotReady(f"{len(load.acknowledged)} of {goal}, {dict(load.statuses)}")

    wait_until(f"{more} acknowledged tasks", probe, 30)


@pytest.mark.parametrize("number", [0, 1])
def test_killing_a_primary_costs_no_error_and_no_task(breakable: LocalCluster, load: Load, number: int) -> None:
    """The write deadline is longer than the election: clients wait, and nothing that was acknowledged is lost."""
    shard = breakable.cluster.shards[number]
    wait_more(load, 30)
    victim = breakable.primary(shard)
    assert victim is not None

    assert breakable.nodes.kill(victim)
    wait_more(load, 60)
    load.stop()

    assert set(load.statuses) == {201}
    for who in load.people:
        mine = {task["id"] for task in every_task(who)}
        load.acknowledged -= mine
    assert load.acknowledged == set(), "acknowledged and lost"


def every_task(who: Caller) -> Iterator[dict[str, str]]:
    cursor = None
    while True:
        page = ok(who.get("/tasks", params={"limit": 100, "cursor": cursor}))
        yield from page["data"]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            return

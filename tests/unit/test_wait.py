"""The one waiting loop: it ends on success, on the deadline, and on what waiting cannot mend."""

from dataclasses import dataclass, field

import pytest

from cluster.wait import LONGEST_PAUSE_S, NotReady, WaitTimeout, wait_until, wait_while


@dataclass
class FakeClock:
    """Time that passes only by pausing."""

    now_s: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def time(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


def test_the_first_right_answer_is_returned() -> None:
    """Asked again until the probe does not raise."""
    clock, answers = FakeClock(), iter([NotReady("starting"), NotReady("electing"), "ready"])

    def probe() -> str:
        answer = next(answers)
        if isinstance(answer, NotReady):
            raise answer
        return answer

    assert wait_until("a primary", probe, 10, clock=clock.time, pause=clock.pause) == "ready"
    assert len(clock.pauses) == 2


def test_a_timeout_says_what_how_long_and_the_last_state() -> None:
    """The three things that a person needs to go on."""
    clock = FakeClock()

    def probe() -> None:
        raise NotReady("shard-1-a is starting")

    with pytest.raises(WaitTimeout) as error:
        wait_until("a primary of shard-1", probe, 5, clock=clock.time, pause=clock.pause)

    assert str(error.value) == "waited 5 s for a primary of shard-1; last seen: shard-1-a is starting"
    assert clock.now_s <= 5


def test_pauses_grow_to_a_bound() -> None:
    """Quick at first, never slower than the bound."""
    clock = FakeClock()

    def probe() -> None:
        raise NotReady("no")

    with pytest.raises(WaitTimeout):
        wait_until("nothing", probe, 5, clock=clock.time, pause=clock.pause)

    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[-1] == LONGEST_PAUSE_S


def test_an_error_that_waiting_cannot_mend_ends_the_wait() -> None:
    """A process that has ended will not answer in a minute either."""
    clock = FakeClock()

    def probe() -> None:
        raise ValueError("it has ended")

    with pytest.raises(ValueError, match="it has ended"):
        wait_until("an answer", probe, 60, clock=clock.time, pause=clock.pause)
    assert clock.pauses == []


def test_a_probe_is_asked_once_even_without_time() -> None:
    """A deadline of zero still looks."""
    assert wait_until("now", lambda: 42, 0) == 42


def test_waiting_for_no_problem_carries_the_last_one() -> None:
    """`wait_while` turns a verdict into a wait."""
    problems = iter(["no primary", "one member is down", None])

    wait_while("health", lambda: next(problems), 5)

    with pytest.raises(WaitTimeout, match="last seen: no primary"):
        wait_while("health", lambda: "no primary", 0)

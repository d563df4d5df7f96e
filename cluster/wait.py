"""The one loop that sleeps: ask again until the answer is right, or say what was awaited and what was seen last."""

import time
from collections.abc import Callable
from typing import TypeVar

from .errors import ClusterError

T = TypeVar("T")

FIRST_PAUSE_S = 0.02
# Long enough not to burn a core that the awaited process needs, short enough not to be felt.
LONGEST_PAUSE_S = 0.1


class NotReady(Exception):
    """The awaited state is not reached yet; the message is the state that was seen. Only `wait_until` catches it."""


class WaitTimeout(ClusterError):
    """A deadline passed. Nothing was undone: what was awaited may still happen, and waiting again is safe."""

    def __init__(self, awaited: str, timeout_s: float, last_seen: str) -> None:
        super().__init__(f"waited {timeout_s:g} s for {awaited}; last seen: {last_seen}")
        self.awaited = awaited
        self.timeout_s = timeout_s
        self.last_seen = last_seen


def wait_until(
    awaited: str,
    probe: Callable[[], T],
    timeout_s: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> T:
    """The first answer of `probe` that is not an exception; `awaited` reads e.g. "a primary of shard-1".

    `probe` raises `NotReady(state)` while the state is not reached; any other exception ends the wait at once.

    Raises:
        WaitTimeout: `timeout_s` seconds passed.
    """
    deadline = clock() + timeout_s
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return probe()
        except NotReady as error:
            if clock() + pause_s > deadline:
                raise WaitTimeout(awaited, timeout_s, str(error)) from error
        pause(pause_s)
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)


def rest(seconds: float) -> None:
    """Leaves the servers to others for a while, in the middle of work that is never in a hurry."""
    time.sleep(seconds)


def wait_while(awaited: str, problem: Callable[[], str | None], timeout_s: float) -> None:
    """Returns when `problem` answers None.

    Raises:
        WaitTimeout: `timeout_s` seconds passed; it carries the last problem.
    """

    def probe() -> None:
        seen = problem()
        if seen is not None:
            raise NotReady(seen)

    wait_until(awaited, probe, timeout_s)

"""What a person sees while steps run: a spinner on a terminal, a line a step elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console


@dataclass
class Outcome:
    """Filled in by the step that runs: whether it changed something."""

    changed: bool = False


class Progress:
    """Shows steps as they happen and remembers which of them changed something."""

    def __init__(self, out: TextIO | None = None, quiet: bool = False) -> None:
        self._console = Console(file=out, quiet=quiet, highlight=False, soft_wrap=True)
        self.changes: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Outcome]:
        """Shows the body as the step `title`, e.g. "initiate the sets", which sets `changed` on what it is given."""
        outcome, started = Outcome(), time.monotonic()
        with self._spinner(title):
            yield outcome
        if outcome.changed:
            self.changes.append(title)
        word = "done" if outcome.changed else "ok"
        self.say(f"  {title}: {word} ({time.monotonic() - started:.1f} s)")

    def say(self, line: str) -> None:
        self._console.print(line, markup=False)

    @contextmanager
    def _spinner(self, title: str) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(f"{title} ..."):
            yield

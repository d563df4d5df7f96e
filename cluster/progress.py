"""What a person sees while steps run: a spinner on a terminal, a line a step elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

# How often a long step says how far it is where there is no terminal.
LINE_EVERY_S = 5.0


@dataclass
class Outcome:
    """Filled in by the step that runs: whether it changed something."""

    changed: bool = False


class Bar:
    """How far a long step is; `show` is called at most every `every_s` seconds, and at the end."""

    def __init__(self, show: Callable[[int, int], object], every_s: float) -> None:
        self._show = show
        self._every_s = every_s
        self._next = time.monotonic() + every_s

    def update(self, done: int, total: int) -> None:
        """`done` of about `total`, which grows where more is found."""
        if done >= total or time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            self._show(done, max(done, total))


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
    def bar(self, title: str) -> Iterator["Bar"]:
        """Shows how far a long step is: a bar on a terminal, a line every few seconds elsewhere."""
        if not self._console.is_terminal:
            yield Bar(lambda done, total: self.say(f"    {title}: {done:,} of {total:,}"), LINE_EVERY_S)
            return
        columns = (TextColumn("    {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with RichProgress(*columns, console=self._console, transient=True) as shown:
            task = shown.add_task(title, total=None)
            yield Bar(lambda done, total: shown.update(task, completed=done, total=total), 0.1)

    @contextmanager
    def _spinner(self, title: str) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(f"{title} ..."):
            yield

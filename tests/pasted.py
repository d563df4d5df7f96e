"""Documents whose commands are run and whose outputs are compared: what a reader pastes does what the page shows.

A ```console block holds commands (`$ `, continued by indented lines) and what each prints. All commands of a page run
in one shell, in their order. `UPDATE_DOCS=1` writes what they print into the page instead of comparing.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 90
END = "---end of output---"

BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
# What differs from run to run, longest first.
CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "TIME"),
    (re.compile(r"(cursor=|\"next_cursor\": ?\")[\w%.-]+"), r"\1CURSOR"),
    (re.compile(r"^id: [\w-]+", re.MULTILINE), "id: EVENT"),
    (re.compile(r"\b[\w-]{32}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{24}\b"), "ID"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
)


@dataclass(frozen=True)
class Command:
    """One command of a page, with what the page says that it prints."""

    text: str
    output: str


def commands(page: str) -> list[Command]:
    """Every command of every console block, in their order."""
    return [command for block in BLOCK.findall(page) for command in _of_block(block)]


def _of_block(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        size = 1
        while size < len(lines) and lines[size].startswith("    ") and _goes_on(lines[size - 1]):
            size += 1
        yield Command("\n".join(lines[:size]), "\n".join(lines[size:]))


def _goes_on(line: str) -> bool:
    """Whether a line's command is continued on the next one."""
    return line.endswith(("\\", "|", ",", "[")) or line.rstrip().endswith("do")


def outputs(found: list[Command], environ: Mapping[str, str], directory: Path) -> list[str]:
    """What the commands print, run in one shell. One that fails ends it."""
    script = "\n".join(f"{command.text}\nprintf '\\n{END}\\n'" for command in found)
    try:
        done = subprocess.run(
            ["bash", "-uc", script],
            cwd=directory,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environ},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        so_far = (error.stdout or b"").decode(errors="replace")
        raise AssertionError(f"the commands did not end in {LIMIT_S} s; so far:\n{so_far}") from error
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split(f"\n{END}\n")[:-1]
    assert len(printed) == len(found), done.stdout
    return [each.replace("\r", "").strip("\n") for each in printed]


def settled(text: str) -> str:
    """A text with what differs from run to run taken out, and without line breaks of the page's own."""
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return re.sub(r"\s+", " ", text).strip()


def check(path: Path, environ: Mapping[str, str], directory: Path) -> None:
    """Run a page, and compare; or, with `UPDATE_DOCS=1`, write down what it prints."""
    page = path.read_text()
    found = commands(page)
    assert found, f"{path} shows no command"
    printed = outputs(found, environ, directory)
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(_updated(page, found, printed))
        return
    for command, now in zip(found, printed, strict=True):
        shown = f"{command.text}\nthe page:\n{command.output}\nnow:\n{now}"
        assert settled(command.output) == settled(now), shown


def _updated(page: str, found: list[Command], printed: list[str]) -> str:
    remaining = iter(zip(found, printed, strict=True))

    def rewrite(block: re.Match[str]) -> str:
        lines = []
        for _ in _of_block(block[1]):
            command, now = next(remaining)
            lines += [f"$ {command.text}", *([now] if now else [])]
        return "```console\n" + "\n".join(lines) + "\n```"

    return BLOCK.sub(rewrite, page)

"""Documents that a person follows are in step with the code: what exists is named, and what is named exists."""

import argparse
import re
from pathlib import Path

import pytest

from api.config import SETTINGS
from cluster.__main__ import parser as cluster_parser
from cluster.run.__main__ import parser as run_parser

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SECURITY = (ROOT / "docs" / "security.md").read_text()
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and "." not in path.name)


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The subcommands of a parser."""
    return {
        name: command
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, command in action.choices.items()
    }


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_readme_names_every_script(script: str) -> None:
    """The way in must not have to be guessed."""
    assert f"scripts/{script}" in README


@pytest.mark.parametrize("name", re.findall(r"\bscripts/([a-z-]+)", README))
def test_every_script_in_the_readme_exists_and_is_executable(name: str) -> None:
    """A command that is pasted must start."""
    assert (ROOT / "scripts" / name).stat().st_mode & 0o111


@pytest.mark.parametrize("setting", [setting.name for setting in SETTINGS])
def test_the_readme_names_every_setting(setting: str) -> None:
    """`python -m api settings` prints the table."""
    assert f"`{setting}`" in README


@pytest.mark.parametrize("setting", [setting.name for setting in SETTINGS])
def test_the_example_environment_names_every_setting(setting: str) -> None:
    """Given, or commented out with its default."""
    example = (ROOT / ".env.example").read_text()

    assert re.search(rf"^#? ?{setting}(_FILE)?=", example, re.MULTILINE)


def test_the_example_environment_holds_no_secret() -> None:
    """A sample secret ends up in production."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    secrets = {setting.name for setting in SETTINGS if setting.secret}

    given = [line for line in lines if not line.startswith("#") and line.partition("=")[0] in secrets]
    assert [line for line in given if line.partition("=")[2]] == []


@pytest.mark.parametrize("command", commands(cluster_parser()))
def test_the_readme_names_every_cluster_command(command: str) -> None:
    """`scripts/cluster CMD`, each at least once."""
    assert re.search(rf"scripts/cluster {command}\b|`{command}`", README)


@pytest.mark.parametrize(
    "parser", [run_parser(), *commands(cluster_parser()).values()], ids=lambda parser: str(parser.prog)
)
def test_every_help_has_an_example(parser: argparse.ArgumentParser) -> None:
    """`--help` is read by somebody who wants to copy a line."""
    assert "example: scripts/" in parser.format_help()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+\.py)`", SECURITY))))
def test_every_test_that_a_promise_names_exists(name: str) -> None:
    """A promise without its test is none."""
    assert list((ROOT / "tests").glob(f"*/{name}"))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:api|cluster|scripts)/[\w./]+\w)\b[^`]*`", SECURITY))))
def test_every_module_that_a_promise_names_exists(path: str) -> None:
    """What is moved is looked for in vain."""
    assert (ROOT / path).is_file()


def test_every_promise_names_a_guard_and_a_test() -> None:
    rows = [line.split("|") for line in SECURITY.splitlines() if line.startswith("| ")][1:]

    assert len(rows) > 10
    assert [row[1] for row in rows if not re.search(r"`[\w/]+", row[2]) or "test_" not in row[3]] == []

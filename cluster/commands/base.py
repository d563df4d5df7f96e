"""How a command is added: its help, its example, what it runs."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

Run: TypeAlias = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(commands: Commands, name: str, run: Run, help_text: str, example: str) -> argparse.ArgumentParser:
    """A command `name` that answers its exit code; `example` is the line that a reader copies."""
    description = help_text[0].upper() + help_text[1:] + "."
    command = commands.add_parser(name, help=help_text, description=description, epilog=f"example: {example}")
    command.set_defaults(run=run)
    return command

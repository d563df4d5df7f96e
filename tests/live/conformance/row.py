"""A row of the table: commands in turn, and for each what its answer must hold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DB = "conformance"
Version = tuple[int, int]
Reply = dict[str, Any]
# A command as it is sent, or made from the answers so far: `lambda answers: {"getMore": answers[0]["cursor"]["id"]}`.
Command = Mapping[str, Any] | Callable[[Sequence[Reply]], Mapping[str, Any]]

OLDEST: Version = (4, 4)
COMMAND_NOT_FOUND = 59


class Absent:
    """The field must not be there."""


@dataclass(frozen=True)
class Refused:
    """`ok: 0` with one of these codes; several where versions differ, None where a version gives no code."""

    codes: tuple[int | None, ...]


def refused(*codes: int | None) -> Refused:
    return Refused(codes)


# Dotted path to what is there: a value, a type (or union), a predicate, `Absent`. `{"cursor.firstBatch": size(2)}`
Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Either:
    """What newer versions answer and older ones refuse, or the other way round."""

    answered: Fields
    refused: Refused


def either(answered: Fields, *codes: int) -> Either:
    return Either(answered, Refused(codes))


Expected = Fields | Refused | Either


@dataclass(frozen=True)
class Ask:
    """One command and what its answer must be."""

    command: Command
    expected: Expected
    db: str = DB


@dataclass(frozen=True)
class Row:
    """`title` is `<command>: <what is asked of it>`.

    `since` is the least server version that knows the command: an older one refuses it by name. `changes` rows alter
    documents or collections, which are put back afterwards. An `alone` row has a connection of its own.
    """

    title: str
    asks: tuple[Ask, ...]
    since: Version = OLDEST
    changes: bool = False
    alone: bool = False

    @property
    def command(self) -> str:
        return self.title.partition(":")[0]


def ask(command: Command, expected: Expected | None = None, db: str = DB) -> Ask:
    """Without `expected` the answer must be `ok: 1`."""
    return Ask(command, {} if expected is None else expected, db)


def admin(command: Command, expected: Expected | None = None) -> Ask:
    return ask(command, expected, "admin")


def row(title: str, *asks: Ask, **options: Any) -> Row:
    return Row(title, asks, **options)


def size(wanted: int) -> Callable[[Any], bool]:
    """A predicate: a list of so many elements."""
    return lambda found: isinstance(found, list) and len(found) == wanted


def has(*wanted: Any) -> Callable[[Any], bool]:
    """A predicate: a collection, text or mapping with all of these."""
    return lambda found: all(element in found for element in wanted)


def fields(*wanted: str) -> Callable[[Any], bool]:
    """A predicate: a list, not empty, of documents that all have these fields."""
    return lambda found: bool(found) and all(name in document for document in found for name in wanted)


def check(asked: Ask, reply: Reply) -> str | None:
    """What is wrong with an answer, in one sentence; None when nothing is."""
    expected = asked.expected
    if isinstance(expected, Either):
        expected = expected.answered if reply.get("ok") == 1 else expected.refused
    return _check_refusal(expected, reply) if isinstance(expected, Refused) else _check_fields(expected, reply)


def _check_fields(expected: Fields, reply: Reply) -> str | None:
    if reply.get("ok") != 1:
        return "it was refused"
    if "writeErrors" in reply and not any(path.startswith("writeErrors") for path in expected):
        return "it has write errors"
    for path, wanted in expected.items():
        found = _at(reply, path)
        if not _matches(found, wanted):
            return f"{path} is {found!r}"
    return None


def _check_refusal(expected: Refused, reply: Reply) -> str | None:
    if reply.get("ok") != 0:
        return "it was not refused"
    if reply.get("code") not in expected.codes:
        return f"the code is not among {expected.codes}"
    if not isinstance(reply.get("errmsg"), str) or ("code" in reply) != ("codeName" in reply):
        return "errmsg or codeName is missing"
    return None


def _at(reply: Any, path: str) -> Any:
    value = reply
    for name in path.split("."):
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, Mapping) and name in value:
            value = value[name]
        else:
            return Absent
    return value


def _matches(found: Any, wanted: Any) -> bool:
    if wanted is Absent or found is Absent:
        return wanted is found
    if isinstance(wanted, type) or type(wanted).__name__ == "UnionType":
        return isinstance(found, wanted)
    return bool(wanted(found)) if callable(wanted) else bool(found == wanted)

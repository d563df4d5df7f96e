"""What stands in a cell of a CSV file, both ways: what `cell_of` writes, the readers give back as it was.

A text that a spreadsheet would take for a formula has an apostrophe before it, and so has one that would look as if it
had been given one. https://owasp.org/www-community/attacks/CSV_Injection
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
APOSTROPHE = "'"

_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
# What stands between two separators, in which a backslash makes the next character plain.
_LISTED = re.compile(r"(?:[^;\\]|\\.)+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r"([;\\])")


def cell_of(value: Any) -> Any:
    """A value as it stands in a cell: no text of a person is a formula there. Lists are `a;b`, null is empty."""
    if isinstance(value, list):
        value = ";".join(_TO_ESCAPE.sub(r"\\\1", each) for each in value)
    if isinstance(value, str) and _looks_like_formula(value):
        return APOSTROPHE + value
    return "" if value is None else value


def read_text(cell: str) -> str:
    """The text of a cell, without the apostrophe that `cell_of` gave it."""
    return cell[1:] if cell.startswith(APOSTROPHE) and _looks_like_formula(cell) else cell


def read_word(cell: str) -> str:
    """A word, a time or an id, whatever blanks are around it."""
    return cell.strip()


def read_list(cell: str) -> list[str]:
    """`a;b` as two texts; `a\\;b` as one."""
    return [_ESCAPED.sub(r"\1", each) for each in _LISTED.findall(read_text(cell))]


def read_integer(cell: str) -> int | str:
    """A whole number; what is none stays a text, which its schema refuses."""
    word = cell.strip()
    return int(word) if _INTEGER.fullmatch(word) else word


def read_number(cell: str) -> float | str:
    """A number in decimal digits; what is none stays a text, which its schema refuses."""
    word = cell.strip()
    return float(word) if _NUMBER.fullmatch(word) else word


def fields_of(columns: Mapping[str, Callable[[str], Any]], cells: Mapping[str, str]) -> dict[str, Any]:
    """The fields that the cells of a row give, by the reader of each column. An empty cell gives none."""
    return {name: columns[name](cell) for name, cell in cells.items() if cell and name in columns}


def _looks_like_formula(text: str) -> bool:
    return text.lstrip(APOSTROPHE).startswith(FORMULA_STARTS)

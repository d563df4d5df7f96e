"""CSV files that people send: which columns they have, and their rows, one by one.

Commas, semicolons or tabs, whichever the first line has most of: spreadsheets write semicolons where the comma is the
decimal sign. UTF-8, with or without a byte order mark. https://www.rfc-editor.org/rfc/rfc4180
"""

import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from .errors import Problem, invalid

DELIMITERS = ",;\t"
# A task's longest texts, each of their quotes doubled, come to a third of this.
MAX_ROW_CHARS = 65_536


@dataclass(frozen=True)
class Row:
    """One row that is not empty. `number` is as spreadsheets count: the columns' names are row 1.

    `size` is in characters, as it stands in the file.
    """

    number: int
    cells: list[str]
    size: int


@dataclass(frozen=True)
class Table:
    """A CSV file, and the names of its columns in small letters."""

    data: bytes
    columns: tuple[str, ...]

    def rows(self) -> Iterator[Row]:
        """The rows under the names, read anew each time.

        Raises:
            Problem: 400, from here on it is no CSV file.
        """
        found = _rows(self.data)
        next(found)
        return (row for row in found if any(row.cells))


def read(data: bytes, known: Collection[str], required: Collection[str]) -> Table:
    """The file as a table, its rows not looked at yet.

    Raises:
        Problem: 400, it is no CSV file; 422, a column is missing, unknown or there twice.
    """
    if b"\0" in data:
        raise Problem("bad_csv", "The file has a NUL character.")
    first = next(_rows(data), None)
    columns = tuple(cell.strip().lower() for cell in first.cells) if first else ()
    if not any(columns):
        raise Problem("bad_csv", "The first row must name the columns.")
    for name in columns:
        if name not in known:
            raise invalid(f"/{name}"[:100], f"Unknown column. Known are: {', '.join(known)}.")
        if columns.count(name) > 1:
            raise invalid(f"/{name}", "The column is there more than once.")
    for name in required:
        if name not in columns:
            raise invalid(f"/{name}", "The column is missing.")
    return Table(data, columns)


def _rows(data: bytes) -> Iterator[Row]:
    """Every row, the names and empty ones too."""
    lines = _Lines(data)
    try:
        for number, cells in enumerate(csv.reader(lines, delimiter=lines.delimiter, strict=True), 1):
            yield Row(number, cells, lines.taken)
            lines.next_row(number + 1)
    except UnicodeDecodeError:
        raise Problem("bad_csv", "The file is not UTF-8: save it as CSV UTF-8.") from None
    except csv.Error as error:
        raise Problem("bad_csv", f"Row {lines.row} cannot be read: {error}. Its quotes may not be in pairs.") from None


class _Lines:
    """The lines of a file; it ends in the row that is longer than any row may be, before that fills the memory."""

    def __init__(self, data: bytes) -> None:
        self._file = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")
        self.row, self.taken = 1, 0

    @property
    def delimiter(self) -> str:
        """The most frequent one of the first line, which holds names alone; a comma where there is none."""
        first = self._file.readline(MAX_ROW_CHARS)
        self._file.seek(0)
        return max(DELIMITERS, key=first.count)

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(MAX_ROW_CHARS + 1):
            self.taken += len(line)
            if self.taken > MAX_ROW_CHARS:
                raise csv.Error(f"it is longer than {MAX_ROW_CHARS:,} characters")
            yield line

    def next_row(self, number: int) -> None:
        """Count from here: a row has been read."""
        self.row, self.taken = number, 0

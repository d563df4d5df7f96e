"""Cells of a CSV file: no text is a formula in them, and each is read back as it was."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import cells

STORED = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
TAGS = st.lists(STORED.filter(str.strip), max_size=20)
# What is hard in texts and lists: starts of formulas, our apostrophe, our separator, what escapes it.
NASTY = st.text(st.sampled_from("'=+-@\t\r\n;\\\",a"), min_size=1)


def through_a_file(value: Any) -> str:
    """The cell of `value` as another program reads it."""
    file = io.StringIO(newline="")
    csv.writer(file).writerow([cells.cell_of(value), "x"])
    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    return row[0]


@given(STORED | NASTY)
def test_a_text_is_read_back_and_is_no_formula(text: str) -> None:
    cell = through_a_file(text)

    assert not cell.startswith(cells.FORMULA_STARTS)
    assert cells.read_text(cell) == text


@given(TAGS | st.lists(NASTY.filter(str.strip), max_size=5))
def test_a_list_is_read_back(tags: list[str]) -> None:
    """Separators in it too."""
    cell = through_a_file(tags)

    assert not cell.startswith(cells.FORMULA_STARTS)
    assert cells.read_list(cell) == tags


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back(number: float) -> None:
    assert cells.read_number(through_a_file(number)) == number


@pytest.mark.parametrize("cell", ["nan", "inf", "1,5", "0x1", "1_0", "--1", "١", "", "=1"])
def test_what_is_no_number_stays_a_text(cell: str) -> None:
    """Its schema refuses it by name."""
    assert cells.read_number(cell) == cell
    assert cells.read_integer(cell) == cell


def test_an_empty_cell_gives_no_field() -> None:
    """So that it takes the default."""
    columns = {"title": cells.read_text, "priority": cells.read_integer}

    assert cells.fields_of(columns, {"title": "x", "priority": "", "id": "1"}) == {"title": "x"}

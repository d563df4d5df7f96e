"""Cursors: bound to their list, and of use to nobody who changes them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import BadCursor, CursorSigner, Position

SIGNER = CursorSigner([("a", "f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70")])
ITEM = ObjectId()


@pytest.mark.parametrize("value", [None, 3, datetime(2026, 1, 31, 8, 30, 0, 123000, UTC), ITEM])
def test_a_cursor_gives_back_its_position(value: Any) -> None:
    """Every kind of value that a list is sorted by."""
    assert SIGNER.open(SIGNER.seal(Position(value, ITEM), "tasks"), "tasks") == Position(value, ITEM)


def test_a_cursor_of_another_list_is_refused() -> None:
    """Another filter, sort or caller."""
    with pytest.raises(BadCursor):
        SIGNER.open(SIGNER.seal(Position(3, ITEM), "tasks a"), "tasks b")


@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    """Whichever character."""
    cursor = SIGNER.seal(Position(3, ITEM), "tasks")
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters().filter(lambda character: character != cursor[place]))

    with pytest.raises(BadCursor):
        SIGNER.open(cursor[:place] + other + cursor[place + 1 :], "tasks")


@given(st.text())
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        SIGNER.open(text, "tasks")


def test_a_junk_character_is_not_skipped() -> None:
    """`base64` would."""
    with pytest.raises(BadCursor):
        SIGNER.open(SIGNER.seal(Position(3, ITEM), "tasks") + "!", "tasks")


def test_cursors_survive_a_rotation_of_keys() -> None:
    """The old key is kept for a while."""
    cursor = SIGNER.seal(Position(3, ITEM), "tasks")
    rotated = CursorSigner([("b", "0" * 40), ("a", "f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70")])

    assert rotated.open(cursor, "tasks") == Position(3, ITEM)

"""Public ids: one text for each pair of owner and id, and nothing else is one."""

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from api.ids import BadId, parse_object_id, parse_public_id, public_id

object_ids = st.binary(min_size=12, max_size=12).map(ObjectId)


@given(object_ids, object_ids)
def test_a_public_id_carries_owner_and_id(owner_id: ObjectId, item_id: ObjectId) -> None:
    """So a route knows the shard without a lookup."""
    text = public_id(owner_id, item_id)

    assert len(text) == 32
    assert parse_public_id(text) == (owner_id, item_id)


@given(st.text(max_size=40))
def test_a_text_is_refused_or_is_the_only_one_of_its_pair(text: str) -> None:
    """`base64` skips junk; we do not."""
    try:
        pair = parse_public_id(text)
    except BadId:
        return
    assert public_id(*pair) == text


@pytest.mark.parametrize(
    "text", ["", "A" * 31, "A" * 33, "A" * 31 + "=", "A" * 31 + "\n", "A" * 31 + "+", "!" + "A" * 32, "Ａ" * 32]
)
def test_a_malformed_public_id_is_refused(text: str) -> None:
    """Other lengths, padding, other alphabets, line breaks."""
    with pytest.raises(BadId):
        parse_public_id(text)


@pytest.mark.parametrize("text", ["", "0" * 23, "0" * 25, "A" * 24, "g" * 24, "0" * 24 + "\n"])
def test_an_object_id_is_24_lower_case_hex_digits(text: str) -> None:
    """The one form in which it is shown."""
    with pytest.raises(BadId):
        parse_object_id(text)

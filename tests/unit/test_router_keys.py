"""Where the stand-in router thinks that a document lives."""

import datetime

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from cluster.router.chunks import NO_CHUNKS, build_table
from cluster.router.keys import UnsupportedKey, equalities, field_of, hash_of, ordered

OWNER = ObjectId("64b000000000000000000001")


def table(key: dict, chunks: list[tuple[dict, str, int]]):
    collection = {"uuid": Binary(b"u" * 16, 4), "key": key, "lastmodEpoch": OWNER, "timestamp": Timestamp(1, 1)}
    rows = [{"min": low, "shard": shard, "lastmod": Timestamp(1, minor)} for low, shard, minor in chunks]
    return build_table("app.t", collection, rows)


HASHED = table({"_id": "hashed"}, [({"_id": MinKey()}, "a", 0), ({"_id": Int64(0)}, "b", 1)])
BY_OWNER = table(
    {"owner_id": "hashed", "_id": 1},
    [
        ({"owner_id": MinKey(), "_id": MinKey()}, "a", 0),
        ({"owner_id": Int64(hash_of(OWNER)), "_id": ObjectId("80" + "0" * 22)}, "b", 1),
        ({"owner_id": Int64(hash_of(OWNER) + 1), "_id": MinKey()}, "a", 2),
    ],
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [  # each read off the server command `_hashBSONElement` of MongoDB 6.0.5
        (1, 5902408780260971510),
        (Int64(1), 5902408780260971510),
        (1.9, 5902408780260971510),
        ("abc", 8478485326885698097),
        (None, 2338878944348059895),
        (True, 6405873908747105701),
        (ObjectId("64b000000000000000000001"), -6261301321782645374),
        (DatetimeMS(1_700_000_000_000), 8482782861828707861),
        (1e300, 921523596458303250),
        (float("nan"), 4854801880128277513),
        (Binary(b"0123456789abcdef", 4), -5741968482829362951),
        (2.0**63, 4532067210535695462),
        (2.0**64, 921523596458303250),
        (Decimal128("1.5"), 848411777775835583),
        (Decimal128("2.5"), 848411777775835583),
        (Decimal128("-1E40"), 4532067210535695462),
        (Decimal128("NaN"), 4854801880128277513),
        (Code("f"), 5961458073249776817),
        (Code("f", {"a": 1}), -3703999343207558250),
        ({}, 7980500913326740417),
        ({"a": {"b": [1, "x", None]}}, 902207936210285912),
        (Binary(b"abc", 2), 9201357337759527400),
        (Regex("ab", "ix"), -7121821287094133560),
    ],
)
def test_hashes_are_those_of_the_server(value, expected):
    """Numbers of every width hash as 64-bit integers, fractions cut off."""
    assert hash_of(value) == expected


def test_values_sort_as_bson_sorts_them():
    """Types first, then values within a type."""
    values = [
        MinKey(), None, float("nan"), Decimal128("-Infinity"), -5, 2.5, Decimal128("2.6"), Int64(7), "a", "b",
        {}, {"a": 1}, {"a": 1, "b": 0}, {"a": 2}, {"b": 0}, {"a": "x"}, Binary(b"x"), Binary(b"", 2), OWNER,
        False, True, DatetimeMS(5), Regex("a"), Regex("a", "i"), Code("a"), Code("a", {}), MaxKey(),
    ]  # fmt: skip
    assert sorted(values, key=ordered) == values


def test_equal_numbers_have_one_place():
    """Whatever their type; not a number is equal to itself."""
    assert len({ordered(value) for value in (1, 1.0, Int64(1), Decimal128("1.0"))}) == 1
    assert ordered(float("nan")) == ordered(Decimal128("NaN"))
    assert ordered(True) != ordered(1)


def test_a_value_with_no_known_place_is_refused():
    """The caller then asks every shard, which is slower and right."""
    with pytest.raises(UnsupportedKey):
        ordered(datetime.datetime.now(datetime.UTC))


def test_a_list_is_no_shard_key():
    """Nor is it where a filter asks for one: every shard is asked."""
    with pytest.raises(UnsupportedKey):
        HASHED.shard_of({"_id": [1]})
    assert HASHED.shards_for({"_id": {"$eq": [1]}}) == ["a", "b"]


@pytest.mark.parametrize(
    ("query", "pinned"),
    [
        ({"_id": 5}, {"_id": [5]}),
        ({"_id": {"$eq": 5}}, {"_id": [5]}),
        ({"_id": {"$in": [1, 2]}}, {"_id": [1, 2]}),
        ({"$and": [{"x": 1}, {"_id": 5}]}, {"_id": [5]}),
        ({"_id": {"$gt": 5}}, {}),
        ({"_id": None}, {}),
        ({"_id": [1]}, {}),
        ({"$or": [{"_id": 5}]}, {}),
        ({"_id": {"$not": {"$eq": 5}}}, {}),
        ({}, {}),
    ],
)
def test_only_what_surely_holds_is_read_from_a_filter(query, pinned):
    """Anything else leaves the field open, so that the filter goes to every shard."""
    assert equalities(query, ["_id"]) == pinned


def test_a_whole_key_names_one_shard():
    """By the hash of the id."""
    expected = "b" if hash_of(7) >= 0 else "a"
    assert HASHED.shards_for({"_id": 7}) == [expected]
    assert HASHED.shard_of({"_id": 7}) == expected


def test_a_prefix_names_every_shard_of_its_range():
    """An owner whose documents were split over two shards is read on both."""
    assert BY_OWNER.shards_for({"owner_id": OWNER}) == ["a", "b"]
    assert BY_OWNER.shards_for({"owner_id": OWNER, "_id": ObjectId("90" + "0" * 22)}) == ["b"]
    assert BY_OWNER.shards_for({"owner_id": OWNER, "_id": ObjectId("10" + "0" * 22)}) == ["a"]


def test_a_filter_without_the_first_field_goes_everywhere():
    """`_id` alone is not a prefix of the key."""
    assert BY_OWNER.shards_for({"_id": OWNER}) == ["a", "b"]
    assert not BY_OWNER.pins_whole_key({"_id": OWNER})


def test_a_shard_version_is_the_highest_of_the_shards_chunks():
    """(0, 0) for a shard that owns none."""
    assert BY_OWNER.shard_version("a")["v"] == Timestamp(1, 2)
    assert BY_OWNER.shard_version("c")["v"] == NO_CHUNKS


def test_an_absent_field_is_null():
    """As an index sees it; a list on the way has no place."""
    assert field_of({"a": {"b": 1}}, "a.b") == 1
    assert field_of({"a": {}}, "a.b") is None
    with pytest.raises(UnsupportedKey):
        field_of({"a": [1]}, "a.b")

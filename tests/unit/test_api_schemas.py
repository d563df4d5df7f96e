"""Wire shapes: what they let through can be stored, and a refusal names the field."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import BSON, ObjectId
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import fields

from api.errors import Problem
from api.schemas import accounts, tasks
from api.schemas.base import MAX_ERRORS, Strict, compile_dump, load
from api.schemas.fields import Id, Instant, Int, Number, Preferences, QueryFlag, QueryInt, Text, TimeZone

TASK = {"title": "Write"}
PERSON = {"username": "ada", "email": "ada@example.org", "password": "correct horse 7"}


def pointers(schema: Strict, body: Any) -> list[str]:
    """The fields that are refused."""
    with pytest.raises(Problem) as refusal:
        load(schema, body)
    assert refusal.value.code == "invalid"
    return [error.pointer for error in refusal.value.errors]


def one(field: fields.Field, value: Any) -> Any:
    """`value` as `field` reads it."""
    return load(Strict.from_dict({"it": field})(), {"it": value})["it"]


@pytest.mark.parametrize(
    "field",
    ["role", "owner_id", "_id", "id", "version", "created_at", "completed_at", "$set", "title.x", "a/b~c", "\ud800"],
)
def test_unknown_fields_are_refused_by_name(field: str) -> None:
    """Nobody assigns what is not theirs to write."""
    pointer = "/" + field.encode("utf-8", "replace").decode().replace("~", "~0").replace("/", "~1")
    for schema, body in ((tasks.TaskCreate(), TASK), (tasks.TaskPatch(), {})):
        assert pointers(schema, {**body, field: "x"}) == [pointer]


def test_a_refusal_stays_small_whatever_is_wrong() -> None:
    """A megabyte of wrong tags or unknown names must not cost an answer of twenty."""
    assert len(pointers(tasks.TaskPatch(), {f"x{n}": 1 for n in range(10_000)})) == MAX_ERRORS
    assert pointers(tasks.TaskPatch(), {"tags": [1] * 400_000}) == ["/tags"]
    assert pointers(tasks.TaskPatch(), {"tags": ["a"] * 21}) == ["/tags"]


@pytest.mark.parametrize("field", ["role", "status", "version", "password_hash", "token_version"])
def test_people_cannot_write_what_admins_write(field: str) -> None:
    assert pointers(accounts.MePatch(), {field: "admin"}) == [f"/{field}"]
    assert pointers(accounts.Registration(), {**PERSON, field: "admin"}) == [f"/{field}"]


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "a\udfff", "", "   ", 5, None, ["x"], {"$ne": ""}, "x" * 201, b"x"])
def test_a_title_is_text_that_can_be_stored(text: Any) -> None:
    """Lone surrogates and NUL pass marshmallow and break BSON or indexes."""
    assert pointers(tasks.TaskCreate(), {"title": text}) == ["/title"]


@pytest.mark.parametrize("number", [True, 1.5, 1e30, "1", 10**30, 2**63, -(2**63) - 1, None, [], {"$gt": 0}])
def test_an_integer_is_one_of_64_bits(number: Any) -> None:
    """10**30 passes marshmallow and crashes in bson."""
    with pytest.raises(Problem):
        one(Int(), number)


def test_an_integer_may_be_written_as_a_decimal() -> None:
    """As JSON Schema has it."""
    assert (one(Int(), 2.0), type(one(Int(), 2.0))) == (2, int)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_64_bit_integer_passes_and_can_be_stored(number: int) -> None:
    assert BSON(BSON.encode({"it": one(Int(), number)})).decode()["it"] == number


@given(st.text(max_size=50))
def test_every_text_that_passes_can_be_stored(text: str) -> None:
    try:
        value = one(Text(50), text)
    except Problem:
        return
    assert BSON(BSON.encode({"it": value})).decode()["it"] == text


@pytest.mark.parametrize("number", ["1.0", "", " 1", "１", "0x1", "9" * 25, "--1"])
def test_a_number_in_a_query_is_plain_digits(number: str) -> None:
    with pytest.raises(Problem):
        one(QueryInt(), number)


@pytest.mark.parametrize("value", ["True", "1", "yes", ""])
def test_a_flag_in_a_query_is_true_or_false(value: str) -> None:
    with pytest.raises(Problem):
        one(QueryFlag(), value)


@pytest.mark.parametrize("number", [True, "1", 1e301, -(10**400), None])
def test_a_position_is_a_finite_number(number: Any) -> None:
    with pytest.raises(Problem):
        one(Number(), number)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T08:30:00",
        "2026-01-31",
        "2026-01-31 08:30:00Z",
        "2026-02-30T08:30:00Z",
        "2026-01-31T24:30:00Z",
        "0001-01-01T00:00:00+01:00",
        "20260131T083000Z",
        "8pm",
        "",
        5,
        None,
    ],
)
def test_a_time_has_a_date_a_time_and_an_offset(text: Any) -> None:
    """Whose time zone would it be?"""
    with pytest.raises(Problem):
        one(Instant(), text)


def test_a_time_is_kept_in_utc_to_the_millisecond() -> None:
    """As BSON keeps it, so that an answer and a later read agree."""
    assert one(Instant(), "2026-01-31T08:30:00.123987+01:00") == datetime(2026, 1, 31, 7, 30, 0, 123000, UTC)
    assert Instant.to_wire(datetime(2026, 1, 31, 7, 30, 0, 123000, UTC)) == "2026-01-31T07:30:00.123Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_that_is_shown_can_be_sent_back(value: datetime) -> None:
    shown = Instant.to_wire(value)
    assert Instant.to_wire(one(Instant(), shown)) == shown


@pytest.mark.parametrize("text", ["x", "A" * 24, {"$oid": "0" * 24}, None, 5])
def test_an_id_is_its_24_digits(text: Any) -> None:
    with pytest.raises(Problem):
        one(Id(), text)


@pytest.mark.parametrize("name", ["Mars/Base", "utc ", "../../etc/passwd", "", "localtime", "Factory"])
def test_a_time_zone_is_one_of_the_database(name: str) -> None:
    with pytest.raises(Problem):
        one(TimeZone(), name)


@pytest.mark.parametrize(
    "value",
    [{"$set": 1}, {"a.b": 1}, {"": 1}, {"a": {"b": 1}}, {"a": [1]}, {"a": 2**64}, {"a": "\0"}, [], {"é": 1}],
)
def test_preferences_are_flat_and_plainly_named(value: Any) -> None:
    """No operators, no paths, no depth."""
    with pytest.raises(Problem):
        one(Preferences(), value)


@pytest.mark.parametrize("name", ["ab", "a b", "a@b.c", "-ab", "_ab", "x" * 33, "ada\n", "a\u200db"])
def test_a_username_is_a_plain_word(name: str) -> None:
    """And never looks like an e-mail address."""
    assert "/username" in pointers(accounts.Registration(), {**PERSON, "username": name})


def test_names_are_kept_in_normal_form() -> None:
    """Full-width letters are the letters they look like."""
    loaded = load(accounts.Registration(), {**PERSON, "username": "ＡＤＡ", "email": "ada@EXAMPLE.org"})

    assert (loaded["username"], loaded["email"]) == ("ADA", "ada@example.org")


@pytest.mark.parametrize("email", ["ada", "ada@", "@example.org", "a b@example.org", "ada@example"])
def test_an_email_address_has_the_form_of_one(email: str) -> None:
    assert pointers(accounts.Registration(), {**PERSON, "email": email}) == ["/email"]


def test_a_common_password_is_refused_by_its_field() -> None:
    assert pointers(accounts.Registration(), {**PERSON, "password": "password1"}) == ["/password"]


@pytest.mark.parametrize("body", [{}, {"username": "a", "email": "b"}])
def test_a_login_has_one_name(body: dict[str, str]) -> None:
    assert pointers(accounts.Login(), {**body, "password": "x"}) == ["/username"]


def test_a_compiled_dump_shows_what_the_schema_declares() -> None:
    """And nothing else of the document."""
    document = {
        "_id": ObjectId("0" * 24),
        "username": "ada",
        "password_hash": "$argon2id$...",
        "created_at": datetime(2026, 1, 31, tzinfo=UTC),
        "last_login_at": None,
        "version": 3,
    }
    shown = compile_dump(accounts.User)(document)

    assert shown["id"] == "0" * 24
    assert shown["created_at"] == "2026-01-31T00:00:00.000Z"
    assert shown["last_login_at"] is None
    assert list(shown) == list(accounts.User().fields)

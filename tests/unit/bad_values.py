"""What no field of a kind may hold, in a body and in a query: the values of the table of bad input.

A field's values are those of every class that it is of, so a new kind of field has at least those of its base.
"""

from collections.abc import Iterator
from typing import Any

from marshmallow import fields
from marshmallow.validate import Length, Range

from api.schemas import aliases, audit, reminders, simple_rest
from api.schemas import fields as ours
from api.schemas.simple_rest import _Json

TOO_LARGE = 10**30
NUL = "a\0b"

# After the published holes of other data APIs: what a driver would take for an operator, a path or an expression.
OPERATORS: tuple[Any, ...] = (
    {"$ne": 1},
    {"$gt": ""},
    {"$ne": None},
    {"$in": ["a"]},
    {"$regex": ".*"},
    {"$where": "1"},
    {"$literal": 1},
    {"$or": [{"a": 1}]},
    {"a.b": 1},
    {"__proto__": {"a": 1}},
    {"a": {"b": {"c": {"d": 1}}}},
    [{"$ne": 1}],
    [["a"]],
    {"$oid": "0" * 24},
    {"$date": 0},
)

# Every wrong form of an id: lengths, cases, alphabets, what decoding would skip.
BAD_OBJECT_IDS = ("x", "0" * 23, "0" * 25, "A" * 24, "g" * 24, "٠" * 24, "０" * 24, "A" * 32, "$ne", "null")
BAD_PUBLIC_IDS = (
    "x",
    "A" * 31,
    "A" * 33,
    "0" * 24,
    "A" * 31 + "=",
    "A" * 31 + "+",
    "A" * 31 + "é",
    "Ａ" * 32,
    "$ne",
)
BAD_SESSION_IDS = ("x", "A" * 15, "A" * 65, "A" * 31 + "=", "A" * 31 + "é", "Ａ" * 32, "$ne", "..")
BAD_TIMES = (
    "",
    "now",
    "2026-01-31",
    "2026-01-31T08:30:00",
    "2026-02-30T08:30:00Z",
    "2026-01-31T25:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "٢٠٢٦-01-31T08:30:00Z",
)
BAD_WORDS = ("x", "", "$ne", "pending,done", "ｐｅｎｄｉｎｇ")

BODY: dict[type[fields.Field], tuple[Any, ...]] = {
    fields.String: (5, 1.5, True, TOO_LARGE, [], {}, *OPERATORS),
    ours.Text: (NUL,),
    ours.Choice: BAD_WORDS,
    fields.Integer: ("1", 1.5, True, TOO_LARGE, -TOO_LARGE, 2**63, [], {}, *OPERATORS),
    fields.Float: ("1", True, 10**301, [], {}, *OPERATORS),
    fields.Boolean: (0, 1, "true", None, [], {}, *OPERATORS),
    fields.DateTime: (5, True, [], {}, *OPERATORS, *BAD_TIMES),
    ours.Id: ("", *BAD_OBJECT_IDS),
    ours.PublicId: ("", *BAD_PUBLIC_IDS),
    reminders.TaskId: ("", *BAD_PUBLIC_IDS),
    ours.TimeZone: ("Mars/Base", "../../etc/passwd", "utc ", "localtime"),
    ours.Preferences: (5, "x", [], {"$set": 1}, {"a.b": 1}, {"": 1}, {"a": {"b": 1}}, {"a": [1]}, {"a": NUL}),
    fields.List: (5, "x", True, {}, *OPERATORS),
    fields.Nested: (5, "x", True, [], *OPERATORS),
    fields.Raw: (5, "x", True, [], {}, *OPERATORS),
    fields.Dict: (5, "x", True, []),
    aliases.Loose: ("", "x" * 65, NUL),
    aliases.Day: ("x", "2030-02-30", "31-12-2030", "1899-01-01"),
    aliases.Clock: ("x", "25:00", "13pm", "8"),
    aliases.LooseTime: ("x", "2030-02-30", "0001-01-01T00:00:00Z"),
}

QUERY: dict[type[fields.Field], tuple[str, ...]] = {
    fields.Integer: ("", "x", "1.0", "1e3", " 1", "１", "0x1", "true", str(TOO_LARGE), '{"$gt":0}'),
    fields.Boolean: ("", "1", "True", "yes", '{"$ne":1}'),
    fields.DateTime: (*BAD_TIMES, '{"$gt":0}'),
    ours.Choice: (*BAD_WORDS, '{"$ne":1}'),
    ours.Text: (NUL,),
    ours.Id: ("", *BAD_OBJECT_IDS, '{"$ne":1}'),
    ours.PublicId: ("", *BAD_PUBLIC_IDS, '{"$ne":1}'),
    audit.DocumentId: ("", *(set(BAD_OBJECT_IDS) & set(BAD_PUBLIC_IDS)), "0" * 23, "A" * 31, "A" * 33, '{"$ne":1}'),
    _Json: ("", "x", "{", "NaN", '"\\ud800"', "[" * 5000, "5"),
    simple_rest.SortPair: (
        '["id"]',
        '["id","down"]',
        '[{"$ne":1},"ASC"]',
        '["-id","ASC"]',
        '["$natural","ASC"]',
        '["owner_id","ASC"]',
    ),
    simple_rest.RowRange: (
        "[0]",
        "[-1,5]",
        "[5,1]",
        "[0,1000]",
        "[0.5,2]",
        "[true,2]",
        "[10001,10002]",
        "[0," + "9" * 30 + "]",
    ),
    simple_rest.Embedded: ("[]", "[1]", '["x"]', '[["owner"]]', '{"owner":1}', '"owner,x"', "null"),
    simple_rest.Conditions: (
        *("[]", '{"$where":"1"}', '{"status":{"$ne":1}}', '{"status":[{"$ne":1}]}', '{"a.b":1}', '{"owner_id":"x"}'),
        *('{"scope":["all"]}', '{"id":{"$gt":""}}', '{"sort":"id"}', '{"limit":5}', '{"__proto__":1}'),
    ),
    ours.TimeZone: ("", "Mars/Base", "../../etc/passwd", '{"$ne":1}'),
}


def bad_for_body(field: fields.Field) -> Iterator[Any]:
    """Values that `field` refuses in a body."""
    yield from _of_its_kinds(field, BODY)
    yield from _out_of_range(field)
    if not field.allow_none:
        yield None


def bad_for_query(field: fields.Field) -> Iterator[str]:
    """Texts that `field` refuses in a query."""
    if isinstance(field, ours.CommaList):
        yield from (text for text in bad_for_query(field.inner) if "," not in text)
        return
    wanted = field.inner if isinstance(field, fields.List) else field
    # The older lists take `?sort` alone.
    yield from (text for text in _of_its_kinds(wanted, QUERY) if text or not _takes_nothing(wanted))
    yield from (str(value) for value in _out_of_range(wanted))


def _takes_nothing(field: fields.Field) -> bool:
    return any("" in getattr(rule, "choices", ()) for rule in field.validators)


def _of_its_kinds(field: fields.Field, table: dict[type[fields.Field], tuple[Any, ...]]) -> list[Any]:
    found = [value for kind in type(field).__mro__ for value in table.get(kind, ())]
    assert found or isinstance(field, ours.Text), f"Say in bad_values what {type(field).__name__} refuses."
    return found


def _out_of_range(field: fields.Field) -> Iterator[Any]:
    """One beyond each bound that the field declares."""
    for rule in field.validators:
        if isinstance(rule, Range):
            yield from (bound + step for bound, step in ((rule.min, -1), (rule.max, 1)) if bound is not None)
        elif isinstance(rule, Length) and isinstance(field, fields.String):
            if rule.max:
                yield "x" * (rule.max + 1)
            if rule.min:
                yield from ("", "   ")

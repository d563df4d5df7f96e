"""When reminders are due, and what is no schedule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import Problem
from api.schedules import BadCron, next_run, parse_cron
from api.schemas.base import load
from api.schemas.reminders import Schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(text: str, tz: str = "UTC") -> dict[str, Any]:
    return {"kind": "cron", "cron": text, "tz": tz}


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("* * * * *", "2026-01-31T23:59:30", "2026-02-01T00:00"),
        ("0 9 * * 1-5", "2026-01-30T09:00", "2026-02-02T09:00"),
        ("*/15 8-9 * * *", "2026-01-31T08:46", "2026-01-31T09:00"),
        ("5/20 0 * * *", "2026-01-31T00:05", "2026-01-31T00:25"),
        ("0 0 29 2 *", "2026-01-31T00:00", "2028-02-29T00:00"),
        ("0 0 31 * *", "2026-01-31T00:00", "2026-03-31T00:00"),
        ("0 0 * * 7", "2026-01-31T00:00", "2026-02-01T00:00"),
        ("0 0 * * 0", "2026-01-31T00:00", "2026-02-01T00:00"),
        ("0 0 13 * 5", "2026-02-01T00:00", "2026-02-06T00:00"),
        ("0,30 1,2 1 1,6 *", "2026-01-01T02:30", "2026-06-01T01:00"),
    ],
)
def test_a_cron_expression_means_its_times(expression: str, after: str, expected: str) -> None:
    """Of two sorts of days that are both restricted, either is enough."""
    assert next_run(cron(expression), at(after)) == at(expected)


def test_a_time_zone_has_its_own_days() -> None:
    """Nine o'clock stays nine o'clock; an hour that is left out has no times, one that comes twice has them once."""
    berlin = "Europe/Berlin"
    assert next_run(cron("0 9 * * *", berlin), at("2026-03-28T08:00")) == at("2026-03-29T07:00")
    assert next_run(cron("30 2 * * *", berlin), at("2026-03-29T00:00")) == at("2026-03-30T00:30")
    first = next_run(cron("30 2 * * *", berlin), at("2026-10-24T22:00"))
    assert first == at("2026-10-25T00:30")
    assert next_run(cron("30 2 * * *", berlin), first) == at("2026-10-26T01:30")


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "a * * * *"]
    + [
        "*/0 * * * *",
        "5-1 * * * *",
        "1,,2 * * * *",
        "* * * * MON",
        "0 0 31 2 *",
        "-1 * * * *",
        "*  * * * *",
        "١ * * * *",
    ],
)
def test_what_is_no_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(BadCron):
        parse_cron(text)


@given(st.integers(60, 10**7), st.integers(-(10**8), 10**8))
def test_an_interval_is_due_within_one_interval_on_its_grid(every_s: int, offset_s: int) -> None:
    now = at("2026-01-31T00:00")
    starts_at = now + timedelta(seconds=offset_s)
    due = next_run({"kind": "interval", "every_s": every_s, "starts_at": starts_at}, now)

    assert due is not None
    assert due > now
    assert (due - starts_at) % timedelta(seconds=every_s) == timedelta()
    assert due == starts_at or due - now <= timedelta(seconds=every_s)


def test_once_is_over_when_it_was() -> None:
    once = {"kind": "once", "at": at("2026-01-31T00:00")}
    assert next_run(once, at("2026-01-30T00:00")) == once["at"]
    assert next_run(once, at("2026-01-31T00:00")) is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/kind"),
        ({"kind": "daily"}, "/kind"),
        ({"kind": "once"}, "/at"),
        ({"kind": "once", "at": "8pm"}, "/at"),
        ({"kind": "once", "at": "2030-01-01T00:00:00Z", "every_s": 60}, "/every_s"),
        ({"kind": "interval"}, "/every_s"),
        ({"kind": "interval", "every_s": 59}, "/every_s"),
        ({"kind": "interval", "every_s": 60, "cron": "* * * * *"}, "/cron"),
        ({"kind": "cron", "cron": "* * * * 9"}, "/cron"),
        ({"kind": "cron", "cron": {"$ne": 1}}, "/cron"),
        ({"kind": "cron", "cron": "* * * * *", "tz": "Mars"}, "/tz"),
        ({"kind": "cron", "cron": "* * * * *", "x": 1}, "/x"),
    ],
)
def test_a_bad_schedule_names_its_field(body: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Problem) as refusal:
        load(Schedule(), body)
    assert pointer in [error.pointer for error in refusal.value.errors]

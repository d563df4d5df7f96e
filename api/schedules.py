"""When a reminder is due: once, at an interval, or by a cron expression in a time zone. Pure.

A schedule is kept as it is shown: `{"kind": "once", "at": ...}`, `{"kind": "interval", "every_s": 3600, "starts_at":
...}` or `{"kind": "cron", "cron": "0 9 * * 1-5", "tz": "Europe/Berlin"}`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

# 29 February is at most eight years away; a day of the week on it, at most forty.
MAX_DAYS = 41 * 366

# minute, hour, day of the month, month, day of the week (0 and 7 are Sunday)
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))

_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", re.ASCII)


class BadCron(ValueError):
    """The text is no cron expression of five fields, or means no day at all. The message says which."""


@dataclass(frozen=True)
class Cron:
    """The minutes, hours and days that an expression means."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    # As cron has it: where both sorts of days are restricted, either is enough.
    either_day: bool

    def has(self, day: date) -> bool:
        """Whether it means that day."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_day or by_weekday) if self.either_day else (by_day and by_weekday)


@lru_cache(1000)
def parse_cron(text: str) -> Cron:
    """The five fields of `text`, each `*`, numbers, ranges and steps: `*/15 8-17 * * 1-5`.

    Raises:
        BadCron: another form, a number out of its bounds, or no such day (31 February).
    """
    parts = text.split(" ")
    if len(parts) != len(BOUNDS):
        raise BadCron("Must have five fields with a space between: minute, hour, day, month, day of the week.")
    minutes, hours, days, months, weekdays = (_numbers(*each) for each in zip(parts, BOUNDS, strict=True))
    restricted = all(not part.startswith("*") for part in (parts[2], parts[4]))
    weekdays = frozenset(day % 7 for day in weekdays)
    cron = Cron(tuple(sorted(minutes)), tuple(sorted(hours)), days, months, weekdays, restricted)
    # 2000 is a leap year.
    if not restricted and not any(_exists(2000, month, day) for month in months for day in days):
        raise BadCron("There is no such day.")
    return cron


def _numbers(field: str, bounds: tuple[int, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise BadCron("Each field is *, numbers, ranges such as 1-5, and steps such as */15, joined by commas.")
        first, last, step = (None if text is None else int(text) for text in match.groups())
        low = bounds[0] if first is None else first
        high = last if last is not None else bounds[1] if first is None or step is not None else low
        if not bounds[0] <= low <= high <= bounds[1] or step == 0:
            raise BadCron(f"{part} is not within {bounds[0]} to {bounds[1]}.")
        found.update(range(low, high + 1, step or 1))
    return frozenset(found)


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def next_run(schedule: Mapping[str, Any], after: datetime) -> datetime | None:
    """The first time after `after` at which `schedule` is due, in UTC; None when it is over."""
    if schedule["kind"] == "once":
        at: datetime = schedule["at"]
        return at if at > after else None
    if schedule["kind"] == "interval":
        return _next_interval(schedule["starts_at"], timedelta(seconds=schedule["every_s"]), after)
    return _next_cron(parse_cron(schedule["cron"]), ZoneInfo(schedule["tz"]), after)


def _next_interval(starts_at: datetime, every: timedelta, after: datetime) -> datetime:
    if starts_at > after:
        return starts_at
    return starts_at + ((after - starts_at) // every + 1) * every


def _next_cron(cron: Cron, zone: ZoneInfo, after: datetime) -> datetime | None:
    """Days of 23 hours leave out what would be in the missing one; of an hour that comes twice, the first counts."""
    day = after.astimezone(zone).date()
    for _ in range(MAX_DAYS):
        if cron.has(day):
            for hour in cron.hours:
                for minute in cron.minutes:
                    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                    at = local.astimezone(UTC)
                    if at > after and at.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
                        return at
        day += timedelta(days=1)
    return None

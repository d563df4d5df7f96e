"""The looser words of the older paths, and that each of those paths is there and marked."""

from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields

from api import openapi
from api.errors import Problem
from api.routes.aliases import ALIASES
from api.schemas.aliases import Clock, Day, LooseTime, StatusWord
from api.schemas.base import Strict, load

STATUSES = {"Pending": "pending", "pending": "pending", "Opened": "pending", "Inprogress": "in_progress"}
STATUSES |= {"In Progress": "in_progress", "in_progress": "in_progress", "Completed": "done", "DONE": "done"}


def one(field: fields.Field, value: Any) -> Any:
    """`value` as `field` reads it."""
    return load(Strict.from_dict({"it": field})(), {"it": value})["it"]


@pytest.mark.parametrize(("word", "status"), STATUSES.items())
def test_the_words_of_a_status(word: str, status: str) -> None:
    assert one(StatusWord(), word) == status


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8pm", time(20)),
        ("8 PM", time(20)),
        ("8:30 p.m.", time(20, 30)),
        ("12am", time(0)),
        ("12pm", time(12)),
        ("20:30", time(20, 30)),
        ("08:05:09", time(8, 5, 9)),
    ],
)
def test_a_time_of_day(text: str, expected: time) -> None:
    assert one(Clock(), text) == expected


@pytest.mark.parametrize("text", ["8", "13pm", "0am", "24:00", "8:60", "20:30pm", "noon", "", "8 o'clock", 8, None])
def test_what_is_no_time_of_day(text: Any) -> None:
    with pytest.raises(Problem):
        one(Clock(), text)


@pytest.mark.parametrize("text", ["2023-02-30", "31.12.2023", "0001-01-01", "9999-12-31", "", 5, {"$gt": ""}])
def test_what_is_no_day(text: Any) -> None:
    for field in (Day(), LooseTime()):
        with pytest.raises(Problem):
            one(field, text)


def test_a_day_alone_is_due_at_its_end() -> None:
    assert one(LooseTime(), "2030-12-31") == datetime(2030, 12, 31, 23, 59, 59)
    assert one(LooseTime(), "2030-12-31 20:00") == datetime(2030, 12, 31, 20)
    assert one(LooseTime(), "2030-12-31T20:00:00Z").utcoffset() is not None


@pytest.mark.parametrize("word", ["x", "", "pend ing!", 5, None, {"$ne": ""}])
def test_what_is_no_status(word: Any) -> None:
    with pytest.raises(Problem):
        one(StatusWord(), word)


def test_each_is_served_with_and_without_the_prefix_and_marked(app: Flask, http: FlaskClient) -> None:
    """But for those paths that are our own with it; the document tells that all are deprecated."""
    document = openapi.document(app)["paths"]
    for alias in ALIASES:
        path = alias.path.replace("<task_id>", "{task_id}")
        assert document[path][alias.method.lower()]["deprecated"] is True
        assert "/api/v1" + path in document
        answer = http.open(alias.path.replace("<task_id>", "A" * 32), method=alias.method)
        assert answer.headers["Deprecation"].startswith("@")
        assert answer.headers["Link"].endswith('; rel="successor-version"'), answer.headers["Link"]
        assert "/api/v1/" in answer.headers["Link"]
    assert "Deprecation" not in http.get("/api/v1/tasks").headers


@pytest.mark.parametrize("path", sorted({alias.path for alias in ALIASES}))
def test_each_is_in_the_page_about_them(path: str) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "older-paths.md"
    assert f"`{path}`" in page.read_text()

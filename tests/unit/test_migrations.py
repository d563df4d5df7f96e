"""Migration files: found, numbered, written; and what the API makes of a field that only a migration knows."""

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from api.schemas.base import compile_dump
from api.schemas.tasks import Task
from cluster.collections import TASKS
from cluster.errors import ClusterError
from cluster.migrate.autogenerate import source
from cluster.migrate.batches import Change, change_all
from cluster.migrate.files import load_migrations, new_path
from cluster.operations import CreateCollection, CreateIndex, DropIndex, Operation
from cluster.progress import Bar

MIGRATION = '"""Says {name}."""\ndef upgrade(db): pass\ndef downgrade(db): pass\n'


def test_the_shipped_migrations_load_in_order() -> None:
    """Each has a title, and numbers without gaps."""
    found = load_migrations()

    assert [migration.number for migration in found] == list(range(1, len(found) + 1))
    assert all(migration.title for migration in found)


def test_two_files_of_one_number_are_refused(tmp_path: Path) -> None:
    """Two branches that were merged: whose comes first must not depend on the alphabet."""
    for name in ("0001_a.py", "0001_b.py"):
        (tmp_path / name).write_text(MIGRATION.format(name=name))

    with pytest.raises(ClusterError, match="have the number 0001"):
        load_migrations(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [("def upgrade(db): pass\n", "no function downgrade"), ("1/0\n", "ZeroDivisionError"), ("def (:", "SyntaxError")],
)
def test_a_file_that_does_not_load_is_named(tmp_path: Path, text: str, says: str) -> None:
    """Before anything is applied."""
    (tmp_path / "0001_bad.py").write_text(text)

    with pytest.raises(ClusterError, match=f"0001_bad.py .*{says}"):
        load_migrations(tmp_path)


def test_a_new_file_takes_the_next_number_and_its_name_from_the_message(tmp_path: Path) -> None:
    """Words only, whatever was typed."""
    (tmp_path / "0007_x.py").touch()

    assert new_path(tmp_path, "Drop: the *index*!").name == "0008_drop_the_index.py"
    with pytest.raises(ClusterError, match="needs a name"):
        new_path(tmp_path, "???")


def load_written(tmp_path: Path, text: str) -> tuple[list[Operation], list[Operation]]:
    """What the two directions of a written file apply."""
    (tmp_path / "0001_written.py").write_text(text)
    (migration,) = load_migrations(tmp_path)
    directions: tuple[list[Operation], list[Operation]] = ([], [])

    class Recorder:
        def __init__(self, applied: list[Operation]) -> None:
            self.apply = applied.append

    migration.upgrade(Recorder(directions[0]))
    migration.downgrade(Recorder(directions[1]))
    return directions


def test_what_is_written_is_what_is_run(tmp_path: Path) -> None:
    """The file holds the operations, and their opposites in the opposite order."""
    create = CreateCollection(TASKS.name, dict(TASKS.shard_key), TASKS.validator)
    index = CreateIndex(TASKS.name, TASKS.indexes[0].spec())

    up, down = load_written(tmp_path, source("Make tasks", (create, index)))

    assert up == [create, index]
    assert down[0] == DropIndex(TASKS.name, TASKS.indexes[0].spec()) and down[1].name == "tasks"


def test_what_is_written_keeps_to_the_width_of_the_code() -> None:
    """Somebody reviews it."""
    text = source("Make tasks", (CreateCollection(TASKS.name, dict(TASKS.shard_key), TASKS.validator),))

    ast.parse(text)
    assert max(map(len, text.splitlines())) <= 120


def test_an_empty_one_loads(tmp_path: Path) -> None:
    """It is filled in by hand."""
    assert load_written(tmp_path, source("by hand.", ())) == ([], [])


class Documents:
    """A collection in memory, as far as a walk asks; `hidden` is on the move when it is first passed."""

    def __init__(self, count: int, hidden: int | None = None) -> None:
        self.rows: list[dict[str, Any]] = [{"_id": number} for number in range(count)]
        self.hidden = hidden

    def estimated_document_count(self) -> int:
        return len(self.rows)

    def find_one(self, where: Any, *_: Any, sort: Any = None) -> dict[str, Any] | None:
        left = [row for row in self.rows if sort or "month" not in row]
        return (left[-1] if sort else left[0]) if left else None

    def find(self, where: Any, *_: Any) -> "Documents":
        page = Documents(0)
        page.rows = [row for row in self.rows if row["_id"] > where["_id"].get("$gt", -1)]
        return page

    def sort(self, *_: Any) -> "Documents":
        return self

    def limit(self, count: int) -> list[dict[str, Any]]:
        return self.rows[:count]

    def update_many(self, where: Any, update: Any) -> None:
        for row in self.rows:
            if where["_id"]["$gte"] <= row["_id"] <= where["_id"]["$lte"] and row["_id"] != self.hidden:
                row["month"] = 1
        self.hidden = None


CHANGE = Change({"month": {"$exists": False}}, [{"$set": {"month": 1}}], batch=10)


def test_what_a_moving_range_hid_is_done_in_another_walk() -> None:
    """A change of many documents misses those that are on the move: nothing is left in the end."""
    documents = Documents(25, hidden=3)

    change_all(documents, CHANGE, {}, lambda state: None, Bar(lambda done, total: None, 1))

    assert all("month" in row for row in documents.rows)


def test_a_walk_goes_on_where_its_notes_end() -> None:
    """What was done before the stop is not done again."""
    documents, notes = Documents(25), []
    for row in documents.rows[:10]:
        row["month"] = 1
    saved = {"after": 9, "until": 24, "done": 10, "total": 25}

    assert change_all(documents, CHANGE, saved, notes.append, Bar(lambda done, total: None, 1)) == 25

    assert [note["done"] for note in notes] == [20, 25]


def test_the_api_shows_no_field_that_it_does_not_know() -> None:
    """A migration may add a field before the API knows it."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    stored = dict.fromkeys(("due_at", "assignee_id", "project_id", "position", "completed_at", "updated_by"))
    stored |= {"_id": ObjectId(), "owner_id": ObjectId(), "title": "x", "description": "", "status": "pending"}
    stored |= {"priority": 3, "tags": [], "created_at": now, "updated_at": now, "version": 1}  # type: ignore[dict-item]
    dump = compile_dump(Task)

    assert dump({**stored, "created_month": "2026-01"}) == dump(stored)

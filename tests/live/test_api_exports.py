"""Whole lists as files: complete or visibly broken, in constant memory, and harmless in a spreadsheet."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from api_support import Caller, assert_problem, sign_up
from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import AutoReconnect
from scratch import router_client
from two_routers import Door, door, newcomer

from api import cells, exports
from cluster.local import LocalCluster
from cluster.run.services import Services

Db = Database[dict[str, Any]]
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=x", '=HYPERLINK("http://x","y")', 'a,"b"\n=c')


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    who = sign_up(api.url)
    for number, title in enumerate(FORMULAS):
        who.task(title=title, tags=["=a", "b"], status="done" if number % 2 else "pending", position=-1.5)
    return who


def test_no_text_is_a_formula_in_a_csv_file(ada: Caller) -> None:
    """Whoever opens it may not have written it. Everything else is as it was."""
    answer = ada.get("/tasks/export", params={"sort": "due_at"})
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tasks.csv"'
    assert sorted(row["title"].removeprefix("'") for row in rows) == sorted(FORMULAS)
    for row in rows:
        assert not row["title"].startswith(cells.FORMULA_STARTS)
        assert (row["tags"], row["position"], row["due_at"], row["version"]) == ("'=a;b", "-1.5", "", "1")


def test_an_ndjson_file_has_the_items_as_they_are(ada: Caller) -> None:
    """One a line, filtered as the list is."""
    answer = ada.get("/tasks/export", params={"format": "ndjson", "status": "done"})
    items = [json.loads(line) for line in answer.text.splitlines()]

    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert items == ada.get("/tasks", params={"status": "done"}).json()["data"]
    assert len(items) == len(FORMULAS) // 2


@pytest.mark.parametrize("query", [{"format": "xlsx"}, {"limit": "5"}, {"cursor": "x"}, {"sort": "title"}, {"x": "1"}])
def test_what_an_export_does_not_take_is_refused(ada: Caller, query: dict[str, str]) -> None:
    assert_problem(ada.get("/tasks/export", params=query), 422)


def test_everybodys_tasks_are_for_admins(ada: Caller) -> None:
    assert_problem(ada.get("/tasks/export", params={"scope": "all"}), 403)


@pytest.fixture(scope="module")
def heavy(cluster: LocalCluster, db: Db) -> Iterator[Door]:
    """Somebody with 6,000 tasks of 2 KiB."""
    with door(cluster, 0) as found:
        who = replace(found, headers=newcomer(found))
        owner_id, at = ObjectId(who.call("GET", "/me").get_json()["id"]), datetime.now(UTC)
        own = {"owner_id": owner_id, "description": "x" * 2048, "status": "done", "priority": 3, "tags": []}
        empty = dict.fromkeys(("position", "due_at", "assignee_id", "project_id", "completed_at", "updated_by"))
        stamps = {"created_at": at, "updated_at": at, "request_id": "export", "version": 1}
        db["tasks"].insert_many(
            {"_id": ObjectId(), "title": f"t{number}", **own, **empty, **stamps} for number in range(6_000)
        )
        yield who
        db["tasks"].delete_many({"owner_id": owner_id})


def test_an_export_takes_no_more_memory_the_longer_it_is(heavy: Door) -> None:
    """12 MiB go through 2 pages' worth."""
    client = heavy.app.test_client()
    tracemalloc.start()
    answer = client.get("/api/v1/tasks/export?format=ndjson", headers=heavy.headers, buffered=False)
    lines = sum(part.count(b"\n") for part in answer.response)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    answer.close()

    assert lines == 6_000
    assert peak < 10 * 2**20, f"{peak / 2**20:.1f} MiB"


def test_a_failure_on_the_way_breaks_the_answer(heavy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short file must not look whole: the exception reaches the server, which sends no last chunk."""
    read, pages = exports._page, iter(range(3))

    def fail_later(*args: Any) -> Any:
        if next(pages) == 2:
            raise AutoReconnect("gone")
        return read(*args)

    monkeypatch.setattr(exports, "_page", fail_later)
    client = heavy.app.test_client()
    answer = client.get("/api/v1/tasks/export?format=ndjson", headers=heavy.headers, buffered=False)
    assert answer.status_code == 200
    with pytest.raises(AutoReconnect):
        list(answer.response)
    answer.close()


def test_a_slot_is_given_back(heavy: Door) -> None:
    """However an export ends; one too many is told to wait."""
    client = heavy.app.test_client()
    url = "/api/v1/tasks/export?format=ndjson"
    for _ in range(2 * exports.MAX_AT_ONCE):
        whole = client.get(f"{url}&status=pending", headers=heavy.headers, buffered=True)
        assert whole.status_code == 200
        whole.close()
        client.get(url, headers=heavy.headers, buffered=False).close()
    taken = [exports._SLOTS.acquire(blocking=False) for _ in range(exports.MAX_AT_ONCE)]
    assert all(taken)
    try:
        assert_problem(client.get(url, headers=heavy.headers), 503)
    finally:
        for _ in taken:
            exports._SLOTS.release()


def test_a_client_sees_that_a_file_is_broken(cluster: LocalCluster, api: Services, ada: Caller, db: Db) -> None:
    """Through the server as it is served: the connection ends without a last chunk, and clients raise."""
    owner_id, at = ObjectId(ada.id), datetime.now(UTC)
    own = {"owner_id": owner_id, "description": "x" * 9_000, "status": "cancelled", "priority": 3, "tags": []}
    empty = dict.fromkeys(("position", "due_at", "assignee_id", "project_id", "completed_at", "updated_by"))
    stamps = {"created_at": at, "updated_at": at, "request_id": "export", "version": 1}
    for _ in range(3):
        db["tasks"].insert_many({"_id": ObjectId(), "title": "x", **own, **empty, **stamps} for _ in range(1_000))
    routers = [router_client(cluster, number) for number in range(2)]
    point = {"failCommands": ["find"], "errorCode": 96}
    url = f"{api.url}/api/v1/tasks/export?format=ndjson"
    try:
        with requests.get(url, headers=dict(ada.headers), stream=True, timeout=30) as answer:
            parts = answer.iter_content(65_536)
            assert next(parts)
            for router in routers:
                router.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=point)
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                for _ in parts:
                    pass
    finally:
        for router in routers:
            router.admin.command("configureFailPoint", "failCommand", mode="off")
            router.close()
        db["tasks"].delete_many({"owner_id": owner_id, "status": "cancelled"})

"""Imports of tasks from CSV files: through a real server, worker and cluster."""

import csv
import io
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from api_support import Caller, assert_problem, at_once, ok, sign_up, statuses
from bson import ObjectId
from pymongo.database import Database
from support import Login
from two_routers import door

from api import imports, task_writes
from api.schemas.base import load
from api.schemas.tasks import TaskCreate
from api.store import tasks
from api.worker import imports as worker
from cluster.layout import PACKAGE_ROOT
from cluster.local import LocalCluster
from cluster.roles import WORKER
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

Db = Database[dict[str, Any]]
CSV = {"Content-Type": "text/csv"}
MIB = 2**20
FINISH_TIMEOUT_S = 60


@pytest.fixture
def ada(api: Services) -> Caller:
    """Somebody new, so that no test meets another one's imports."""
    return sign_up(api.url)


@pytest.fixture(scope="module")
def eve(api: Services) -> Caller:
    """Somebody whose every import is refused."""
    return sign_up(api.url)


@pytest.fixture
def boss(api: Services, admin: Login) -> Caller:
    return Caller(api.url, admin.headers)


@pytest.fixture
def without_worker(api: Services) -> Iterator[Services]:
    """Nobody works meanwhile."""
    api.worker.stop()
    yield api
    if api.worker.pid is None:
        api.start_worker()


def send(who: Caller, data: str | bytes, headers: dict[str, str] | None = None) -> requests.Response:
    body = data.encode() if isinstance(data, str) else data
    return who.call("POST", "/imports", {**CSV, **(headers or {})}, data=body)


def finished(who: Caller, made: requests.Response) -> dict[str, Any]:
    """The import when it is over."""
    path = f"/imports/{ok(made, 202)['id']}"
    found: dict[str, Any] = {}

    def look() -> None:
        found.update(ok(who.get(path)))
        if found["finished_at"] is None:
            raise NotReady(f"{found['rows_done']} of {found['rows_total']} rows")

    wait_until("the import", look, FINISH_TIMEOUT_S)
    return found


def titles(who: Caller) -> list[str]:
    return sorted(task["title"] for task in ok(who.get("/tasks?limit=100"))["data"])


def test_rows_become_tasks_and_each_fault_is_told(ada: Caller, db: Db) -> None:
    """With the row as a spreadsheet numbers it, and the field."""
    file = (
        "title,status,priority,position,due_at,tags\r\n"
        "Whole,in_progress,1,-2.5,2030-01-31T09:00:00+01:00,a;b\r\n"
        "Short,,,,,\r\n"
        ",done,,,,\r\n"
        "Wrong,finished,9,x,tomorrow,\r\n"
        "\r\n"
        "Too few,done\r\n"
        "Too many,,,,,,,\r\n"
        "Done,done,,,,\r\n"
    )
    made = send(ada, file, {"X-Request-Id": "import-request-1"})
    job = finished(ada, made)

    assert made.headers["Location"] == f"/api/v1/imports/{job['id']}"
    assert made.json()["state"] in ("waiting", "running")
    assert (job["state"], job["detail"], job["owner_id"]) == ("done", None, ada.id)
    assert (job["rows_total"], job["rows_done"], job["rows_failed"], job["errors_total"]) == (7, 3, 4, 7)
    assert [(error["row"], error["pointer"]) for error in job["errors"]] == [
        (4, "/title"),
        *[(5, pointer) for pointer in ("/status", "/priority", "/position", "/due_at")],
        (7, "/"),
        (8, "/"),
    ]
    made_tasks = {task["title"]: task for task in ok(ada.get("/tasks"))["data"]}
    assert set(made_tasks) == {"Whole", "Short", "Done"}
    whole = made_tasks["Whole"]
    assert (whole["status"], whole["priority"], whole["position"]) == ("in_progress", 1, -2.5)
    assert (whole["due_at"], whole["tags"], whole["version"]) == ("2030-01-31T08:00:00.000Z", ["a", "b"], 1)
    assert made_tasks["Done"]["completed_at"] is not None
    stored = list(db["tasks"].find({"owner_id": ObjectId(ada.id)}))
    assert {(task["updated_by"], task["request_id"]) for task in stored} == {(ObjectId(ada.id), "import-request-1")}
    assert db["import_chunks"].count_documents({"import_id": ObjectId(job["id"])}) == 0


def test_what_an_export_wrote_is_imported_as_it_was(ada: Caller, api: Services) -> None:
    """Formulas, apostrophes, separators in tags and all; what nobody writes is made anew."""
    project_id = ok(ada.post("/projects", {"name": "Garden"}), 201)["id"]
    for fields in (
        {"title": "=1+1", "description": '\'=2\r\nline, "two"', "tags": ["=a;b", "c\\d", "'e"]},
        {"title": "'-x", "status": "done", "position": -1e-7},
        {"title": " blanks ", "project_id": project_id, "assignee_id": ada.id, "due_at": "2030-01-31T17:00:00Z"},
    ):
        ada.task(**fields)
    exported = ada.get("/tasks/export").content
    before = list(csv.DictReader(io.StringIO(exported.decode(), newline="")))

    job = finished(ada, send(ada, b"\xef\xbb\xbf" + exported))

    assert (job["rows_done"], job["errors"]) == (3, [])
    after = list(csv.DictReader(io.StringIO(ada.get("/tasks/export").content.decode(), newline="")))
    anew = ("id", "created_at", "updated_at", "completed_at")

    def plain(rows: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
        return sorted(sorted((name, cell) for name, cell in row.items() if name not in anew) for row in rows)

    assert plain(after) == sorted(2 * plain(before))
    assert len({row["id"] for row in after}) == 6


def test_rows_name_people_and_projects_as_a_new_task_may(ada: Caller, api: Services, boss: Caller) -> None:
    """Of each pair that may not be named, every row says so."""
    bob, gone = sign_up(api.url), sign_up(api.url)
    ok(boss.patch(f"/users/{gone.id}", {"status": "disabled"}))
    own, archived = (ok(ada.post("/projects", {"name": "P"}), 201)["id"] for _ in range(2))
    ok(ada.patch(f"/projects/{archived}", {"status": "archived"}))
    theirs = ok(bob.post("/projects", {"name": "P"}), 201)["id"]
    rows = [
        ("own", own, ""),
        ("to me", own, ada.id),
        ("to bob", "", bob.id),
        ("not in it", own, bob.id),
        ("disabled", "", gone.id),
        ("archived", archived, ""),
        ("theirs", theirs, ""),
        ("theirs too", theirs, ""),
        ("no id", "x", "y"),
    ]
    job = finished(ada, send(ada, "title,project_id,assignee_id\n" + "\n".join(map(",".join, rows))))

    assert titles(ada) == ["own", "to bob", "to me"]
    assert sorted((error["row"], error["pointer"]) for error in job["errors"]) == [
        (5, "/assignee_id"),
        (6, "/assignee_id"),
        *[(row, "/project_id") for row in (7, 8, 9)],
        (10, "/assignee_id"),
        (10, "/project_id"),
    ]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"title\n\xe4\n", 400, "bad_csv"),
        (b"title\n" + b"a\n" * 10_000 + b'"a\n', 400, "bad_csv"),
        (b"title,role\na,admin\n", 422, "invalid"),
        (b"title\n" + b"a\n" * (imports.MAX_ROWS + 1), 422, "invalid"),
        (b"title\n" + b"a" * (16 * MIB), 413, "too_large"),
        (b"title\n" + b"\n" * (16 * MIB - 5), 413, "too_large"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else None,
)
def test_a_file_that_cannot_be_imported_leaves_nothing(
    eve: Caller, db: Db, data: bytes, status: int, code: str
) -> None:
    chunks = db["import_chunks"].estimated_document_count()
    answer = send(eve, data)

    assert_problem(answer, status)
    assert answer.json()["code"] == code
    assert ok(eve.get("/imports"))["data"] == []
    assert db["import_chunks"].estimated_document_count() == chunks


@pytest.mark.parametrize(
    "media", ["application/json", "text/plain", "multipart/form-data; boundary=x", "text/csv; charset=iso-8859-1", ""]
)
def test_another_media_type_is_refused(eve: Caller, media: str) -> None:
    assert_problem(send(eve, "title\na\n", {"Content-Type": media}), 415)


def test_a_file_whose_length_is_not_told_may_not_be_longer(ada: Caller) -> None:
    """Chunked: what comes is counted, and never cut to a file that looks whole."""
    whole = ada.call("POST", "/imports", CSV, data=iter([b"title\n", b"a\n"]))
    too_long = ada.call("POST", "/imports", CSV, data=(b"title\n" + b"\n" * (MIB - 6) for _ in range(17)))

    assert finished(ada, whole)["rows_done"] == 1
    assert_problem(too_long, 413)
    padded = (b'{"title": "x"}' + b" " * MIB for _ in range(2))
    assert_problem(ada.call("POST", "/tasks", {"Content-Type": "application/json"}, data=padded), 413)
    assert titles(ada) == ["a"]


def test_other_routes_take_no_more_than_before(eve: Caller) -> None:
    """Only this one takes 16 MiB."""
    assert_problem(eve.post("/tasks", {"title": "x", "description": "x" * 2 * MIB}), 413)


def test_a_file_from_a_spreadsheet_may_have_semicolons(ada: Caller) -> None:
    job = finished(ada, send(ada, b'\xef\xbb\xbfTitle;Tags;Priority\r\n"a, b";"x;y";2\r\n'))

    (task,) = ok(ada.get("/tasks"))["data"]
    assert job["errors"] == []
    assert (task["title"], task["tags"], task["priority"]) == ("a, b", ["x", "y"], 2)


def test_a_repeated_request_is_one_import(ada: Caller, db: Db) -> None:
    """With the same key; the same key and another file is refused."""
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = send(ada, "title\na\n", key)
    finished(ada, first)
    again = send(ada, "title\na\n", key)

    assert ok(again, 202) == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert_problem(send(ada, "title\nb\n", key), 422)
    assert titles(ada) == ["a"]
    assert len(ok(ada.get("/imports"))["data"]) == 1


def test_the_same_request_at_once_is_one_import(ada: Caller, db: Db, without_worker: Services) -> None:
    """Whoever comes second gets the answer of the first or is told to wait, and its rows are gone."""
    key = {"Idempotency-Key": secrets.token_hex(8)}
    file = "title\n" + "a\n" * 5_000
    before = db["import_chunks"].count_documents({})
    answers = at_once([lambda: send(ada, file, key)] * 4)

    # 503: every slot for files is taken.
    assert set(statuses(answers)) <= {202, 409, 503}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert len(ok(ada.get("/imports"))["data"]) == 1
    assert db["import_chunks"].count_documents({}) == before + 10


def test_a_deleted_import_ends(ada: Caller, db: Db) -> None:
    """After the chunk at hand; what it has made stays."""
    job = ok(send(ada, "title\n" + "a\n" * 8_000), 202)
    job_id, path = ObjectId(job["id"]), f"/imports/{job['id']}"

    def begun() -> None:
        if not ok(ada.get(path))["rows_done"]:
            raise NotReady("no row is done")

    wait_until("the import to begin", begun, FINISH_TIMEOUT_S)
    ok(ada.delete(path), 204)

    def ended() -> None:
        (entry,) = db["outbox"].find({"payload.import_id": job_id})
        if entry["state"] != "done":
            raise NotReady(entry["state"])

    wait_until("the import to end", ended, FINISH_TIMEOUT_S)
    assert 0 < db["tasks"].count_documents({"owner_id": ObjectId(ada.id)}) < 8_000
    assert db["import_chunks"].count_documents({"import_id": job_id}) == 0


def test_nobody_has_many_imports_at_once(ada: Caller, api: Services, without_worker: Services, db: Db) -> None:
    """One too many is told to wait; a deleted one makes room, and its rows are gone."""
    jobs = [ok(send(ada, "title\na\n"), 202) for _ in range(imports.MAX_UNFINISHED)]
    refused = send(ada, "title\na\n")
    assert_problem(refused, 429)
    assert refused.json()["code"] == "too_many_imports"
    assert int(refused.headers["Retry-After"]) > 0
    ok(send(sign_up(api.url), "title\na\n"), 202)

    ok(ada.delete(f"/imports/{jobs[0]['id']}"), 204)
    assert_problem(ada.get(f"/imports/{jobs[0]['id']}"), 404)
    ids = {chunk["import_id"] for chunk in db["import_chunks"].find()}
    assert ObjectId(jobs[0]["id"]) not in ids
    assert ObjectId(jobs[1]["id"]) in ids
    ok(send(ada, "title\nlast\n"), 202)

    without_worker.start_worker()
    newest, *_ = ok(ada.get("/imports"))["data"]
    wait_until("every import", lambda: _require_none_waits(ada), FINISH_TIMEOUT_S)
    assert titles(ada) == ["a", "a", "last"]
    assert "errors" not in newest
    listed = [job["id"] for job in ok(ada.get("/imports"))["data"]]
    page = ok(ada.get("/imports?limit=2"))
    rest = ok(ada.get("/imports", params={"limit": 2, "cursor": page["pagination"]["next_cursor"]}))
    assert [job["id"] for job in page["data"] + rest["data"]] == listed == sorted(listed, reverse=True)


def _require_none_waits(who: Caller) -> None:
    states = {job["state"] for job in ok(who.get("/imports"))["data"]}
    if states != {"done"}:
        raise NotReady(", ".join(states))


def test_an_import_is_its_owners_and_admins(ada: Caller, api: Services, boss: Caller) -> None:
    bob = sign_up(api.url)
    job = finished(ada, send(ada, "title\na\n"))
    path = f"/imports/{job['id']}"

    assert_problem(bob.get(path), 404)
    assert_problem(bob.delete(path), 404)
    assert ok(bob.get("/imports"))["data"] == []
    assert ok(boss.get(path)) == job
    assert_problem(ada.get("/imports/x"), 404)


def test_a_disabled_owner_is_served_no_more(ada: Caller, boss: Caller, without_worker: Services) -> None:
    made = send(ada, "title\na\n")
    ok(boss.patch(f"/users/{ada.id}", {"status": "disabled"}))
    without_worker.start_worker()
    job = finished(boss, made)

    assert (job["state"], job["rows_done"]) == ("failed", 0)
    assert "not active" in job["detail"]


def test_a_deleted_user_leaves_no_import(ada: Caller, db: Db, without_worker: Services) -> None:
    job_id = ObjectId(ok(send(ada, "title\na\n"), 202)["id"])
    ok(ada.delete("/me"), 204)
    without_worker.start_worker()

    def look() -> None:
        if db["imports"].find_one({"_id": job_id}) or db["import_chunks"].find_one({"import_id": job_id}):
            raise NotReady("there still")

    wait_until("the purge", look, FINISH_TIMEOUT_S)
    assert db["tasks"].count_documents({"owner_id": ObjectId(ada.id)}) == 0


def test_errors_are_kept_to_a_thousand_and_counted_beyond(ada: Caller) -> None:
    job = finished(ada, send(ada, "title,priority\n" + "a,9\n" * 1_200 + "b,1\n"))

    assert (job["rows_done"], job["rows_failed"], job["errors_total"], len(job["errors"])) == (1, 1_200, 1_200, 1_000)
    assert [error["row"] for error in job["errors"]] == list(range(2, 1_002))


# The worker, each chunk a turn of its own, which kills itself when its third one is inserted and not counted.
DYING = """
import os, signal, sys
from api import __main__ as program
from api.worker import imports
real = imports.imports.advance_import
def die(import_id, chunk, *rest):
    if chunk == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(import_id, chunk, *rest)
imports.imports.advance_import = die
imports.TURN_S = 0
sys.exit(program.main(["worker"]))
"""


def test_a_killed_worker_loses_and_doubles_nothing(ada: Caller, db: Db, without_worker: Services) -> None:
    """SIGKILL between the tasks of a chunk and their count; the next worker goes on from there."""
    rows = [f"t{number},{9 if number % 10 == 0 else 1}" for number in range(2_000)]
    made = send(ada, "title,priority\n" + "\n".join(rows))
    job_id, owner_id = ObjectId(ok(made, 202)["id"]), ObjectId(ada.id)
    environ = without_worker.environment(WORKER)

    died = subprocess.run([sys.executable, "-c", DYING], cwd=PACKAGE_ROOT, env=environ, timeout=60, check=False)

    job = db["imports"].find_one({"_id": job_id}) or {}
    assert died.returncode == -9
    assert (job["state"], job["next_chunk"], job["rows_done"]) == ("running", 2, 900)
    assert db["tasks"].count_documents({"owner_id": owner_id}) == 1_350, "the third chunk was there, not counted"
    # As if the lease of the dead had run out.
    entry = db["outbox"].find_one({"payload.import_id": job_id}) or {}
    db["outbox"].update_one({"_id": entry["_id"]}, {"$set": {"next_attempt_at": job["created_at"]}})
    assert (entry["state"], entry["attempts"]) == ("leased", 1), "a turn that ends well is no failed attempt"

    without_worker.start_worker()
    over = finished(ada, made)

    assert (over["rows_done"], over["rows_failed"], over["errors_total"]) == (1_800, 200, 200)
    found = [task["title"] for task in db["tasks"].find({"owner_id": owner_id})]
    assert sorted(found) == sorted(f"t{number}" for number in range(2_000) if number % 10)


def test_two_workers_at_one_import_count_each_row_once(
    cluster: LocalCluster, ada: Caller, db: Db, without_worker: Services
) -> None:
    """One that was thought dead, and whose lease has ended, may work on."""
    made = send(ada, "title,priority\n" + "".join(f"t{n},{9 if n % 10 == 0 else 1}\n" for n in range(3_000)))
    job_id = ObjectId(ok(made, 202)["id"])
    with door(cluster, 0) as found:

        def work() -> None:
            with found.app.app_context():
                while worker.run_import({"import_id": job_id}):
                    pass

        at_once([work] * 3)

    job = finished(ada, made)
    assert (job["state"], job["rows_done"], job["rows_failed"], len(job["errors"])) == ("done", 2_700, 300, 300)
    titles = [task["title"] for task in db["tasks"].find({"owner_id": ObjectId(ada.id)})]
    assert len(titles) == len(set(titles)) == 2_700


def test_tasks_may_be_inserted_again(cluster: LocalCluster, ada: Caller, db: Db) -> None:
    """Those that are there stay as they are, and what the database refuses is told by its id."""
    owner_id = ObjectId(ada.id)
    with door(cluster, 0) as found, found.app.app_context():
        made = [task_writes.new_task(owner_id, load(TaskCreate(), {"title": f"t{n}"})) for n in range(3)]
        assert tasks.insert_tasks(made[:2]) == set()
        changed = [{**task, "title": "changed"} for task in made]
        wrong = {**changed[2], "_id": ObjectId(), "priority": 9}
        assert tasks.insert_tasks([*changed, wrong]) == {wrong["_id"]}

    assert sorted(task["title"] for task in db["tasks"].find({"owner_id": owner_id})) == ["changed", "t0", "t1"]


def test_a_file_of_16_mib_takes_little_memory(ada: Caller, api: Services, db: Db) -> None:
    """The worker takes a fraction of it, an API process not much more than its size."""
    line = f",{'x' * 2_000}\n"
    rows = (16 * MIB - 100) // (len(line) + 5)
    data = ("title,description\n" + "".join(f"{number:05}{line}" for number in range(rows))).encode()
    assert len(data) > 15.9 * MIB
    pids = [_pid(api.worker.pid), *(child.pid for child in psutil.Process(_pid(api.api.pid)).children())]
    finished(ada, send(ada, "title\nwarm up\n"))
    before = [_memory(pid, "VmRSS") for pid in pids]

    job = finished(ada, send(ada, data))

    assert (job["rows_total"], job["rows_done"], job["errors"]) == (rows, rows, [])
    assert db["tasks"].count_documents({"owner_id": ObjectId(ada.id)}) == rows + 1
    growth = [(_memory(pid, "VmHWM") - rss) / len(data) for pid, rss in zip(pids, before, strict=True)]
    at_work, *served = growth
    assert at_work < 0.5, growth
    assert 0.9 < max(served) < 3.5, growth


def _pid(pid: int | None) -> int:
    assert pid is not None
    return pid


def _memory(pid: int, name: str) -> int:
    """`VmRSS`, what the process has now, or `VmHWM`, what it had at most, in bytes."""
    found = re.search(rf"^{name}:\s+([0-9]+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024

"""The audit trail of plain creates and updates, which the worker writes: complete, once, and by the right author."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_support import Caller, ok, sign_up
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect
from test_api_audit import EVENT, HOURLY, MAKERS, item_id
from two_routers import Door, door

from api import audit
from api.store import followers
from api.store.followers import Start
from api.worker import trail
from cluster.layout import PACKAGE_ROOT
from cluster.local import LocalCluster
from cluster.roles import ADMIN, WORKER
from cluster.run.services import Services
from cluster.wait import NotReady, wait_until

Db = Database[dict[str, Any]]
Entry = dict[str, Any]
# The worker may have the documents of other tests before it.
DONE_S = 40


@pytest.fixture(scope="module")
def ada(api: Services) -> Caller:
    """Who owns most of what is changed here."""
    return sign_up(api.url)


@pytest.fixture(scope="module")
def bob(api: Services) -> Caller:
    """Somebody else."""
    return sign_up(api.url)


def trail_of(db: Db, collection: str, shown_id: str, versions: int) -> list[Entry]:
    """The entries of the first `versions` versions of a document, when all are there."""
    ids = [audit.id_of(collection, item_id(shown_id), version) for version in range(1, versions + 1)]

    def probe() -> list[Entry]:
        found = {entry["_id"]: entry for entry in db["audit"].find({"_id": {"$in": ids}})}
        if len(found) < versions:
            raise NotReady(f"{len(found)} of {versions}")
        return [found[each] for each in ids]

    return wait_until("the entries", probe, DONE_S)


PATCHES: dict[str, dict[str, Any]] = {
    "task": {"title": "Another", "tags": ["x"], "assignee_id": None},
    "event": {"venue": "Elsewhere"},
    "reminder": {"schedule": {**HOURLY, "every_s": 7200}},
    "project": {"description": "What grows"},
}


@pytest.mark.parametrize("noun", PATCHES)
def test_creates_and_updates_are_noted(ada: Caller, db: Db, noun: str) -> None:
    """By whom, on which request, from which version to which; of fields the names."""
    path = MAKERS[noun](ada)
    changed = ada.patch(path, PATCHES[noun])
    ok(changed)

    created, updated = trail_of(db, f"{noun}s", path.rpartition("/")[2], 2)

    assert (created["action"], updated["action"]) == (f"{noun}.create", f"{noun}.update")
    assert {created["actor_id"], updated["actor_id"]} == {ObjectId(ada.id)}
    assert updated["request_id"] == changed.headers["X-Request-Id"]
    owner = {} if noun == "project" else {"owner_id": ObjectId(ada.id)}
    assert ("before" in created, created["after"]) == (False, {"version": 1, **owner})
    assert (updated["before"], updated["after"]) == ({"version": 1}, {"version": 2, **owner})
    if "detail" in updated:  # servers before 5.0 do not tell what differs
        told = set(updated["detail"]["fields"])
        assert told >= set(PATCHES[noun]) - {"assignee_id"}
        assert told <= set(changed.json()) - {"version", "updated_at"}, "what nobody is shown is not told"
    assert "Another" not in str(updated)


def test_each_of_many_quick_changes_has_its_own_author(ada: Caller, bob: Caller, db: Db) -> None:
    """Also of two in a row by the same person and with the same request id, of which an event tells neither."""
    project = MAKERS["project"](ada)
    ok(ada.call("PUT", f"{project}/members/{bob.id}"), 204)
    task = ok(ada.post(f"{project}/tasks", {"title": "Dig"}), 201)
    authors = [ada, bob, bob, bob, ada, ada, bob]
    for number, who in enumerate(authors):
        ok(who.patch(f"/tasks/{task['id']}", {"priority": number % 5 + 1}, headers={"X-Request-Id": "the-same"}))

    trail = trail_of(db, "tasks", task["id"], 1 + len(authors))

    assert [str(entry["actor_id"]) for entry in trail] == [ada.id, *(who.id for who in authors)]
    assert {entry["request_id"] for entry in trail[1:]} == {"the-same"}


def test_changes_of_a_profile_are_noted_by_name(api: Services, db: Db) -> None:
    """No value, no password hash, and nothing for a login."""
    who = sign_up(api.url)
    ok(who.patch("/me", {"name": "Quite Another"}))
    ok(who.put("/me/password", {"current_password": "correct horse 7", "new_password": "battery staple 8"}), 204)

    made, renamed, secured = trail_of(db, "users", who.id, 3)

    assert (made["action"], renamed["action"], secured["action"]) == (
        "user.create",
        "user.update",
        "auth.password_change",
    )
    assert renamed.get("detail", {"fields": ["name"]}) == {"fields": ["name"]}
    assert "Quite" not in str(renamed)
    assert db["audit"].count_documents({"resource_id": ObjectId(who.id), "action": "user.update"}) == 1


def test_what_is_written_with_the_deed_is_not_written_again(ada: Caller, bob: Caller, db: Db) -> None:
    """The worker sees the new version too; its entry would have the same id."""
    project = MAKERS["project"](ada)
    ok(ada.call("PUT", f"{project}/members/{bob.id}"), 204)
    ok(ada.patch(project, {"name": "Yard"}))
    ok(ada.delete(project), 204)

    trail = trail_of(db, "projects", project.rpartition("/")[2], 4)
    # The worker has come past the deletion when it has told of what came later.
    trail_of(db, "tasks", ada.task()["id"], 1)

    assert [entry["action"] for entry in trail] == [
        "project.create",
        "project.add_member",
        "project.update",
        "project.delete",
    ]
    assert db["audit"].count_documents({"resource_id": item_id(project.rpartition("/")[2])}) == 4


@pytest.fixture
def no_worker(api: Services, ada: Caller, db: Db) -> Iterator[None]:
    """No worker runs, one that has begun with the trail did; afterwards one does again."""

    def probe() -> None:
        if not db["followers"].count_documents({"_id": "audit", "seen_at": {"$ne": None}}):
            raise NotReady("has not begun")

    ada.task()
    wait_until("the worker", probe, DONE_S)
    api.worker.stop()
    yield
    if api.worker.pid is None:
        api.start_worker()


# Takes whatever the test has changed at once, however the servers cut it.
GATHERING = """
import os, signal
from api import create_app, worker
from api.store import audit, followers
from api.worker import trail
take = trail._take
def gather(stream):
    found = []
    while len(found) < 20:
        found += take(stream)
    return found
trail._take = gather
"""

DYING_HALFWAY = """
whole = audit.insert_missing_entries
def half(entries):
    whole(entries[: len(entries) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
audit.insert_missing_entries = half
worker.run(create_app())
"""

DYING_BEFORE_IT_NOTES = """
followers.move_follower = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
worker.run(create_app())
"""


@pytest.mark.usefixtures("no_worker")
def test_workers_that_are_killed_leave_nothing_out_and_nothing_twice(
    api: Services, cluster: LocalCluster, ada: Caller, db: Db, admin_client: MongoClient[Any]
) -> None:
    """By SIGKILL: one in the middle of writing, one after it has written and before it notes how far it has come."""
    tasks = [ada.task()["id"] for _ in range(10)]
    for task_id in tasks:
        ok(ada.patch(f"/tasks/{task_id}", {"title": "x"}))
    wanted = {"resource_id": {"$in": [item_id(each) for each in tasks]}}
    stored = admin_client[cluster.database]["followers"]
    place, written = stored.find_one({"_id": "audit"}, {"resume_token": 1}), []

    for code in (DYING_HALFWAY, DYING_BEFORE_IT_NOTES):
        died = subprocess.run(
            [sys.executable, "-c", GATHERING + code],
            cwd=PACKAGE_ROOT,
            env=api.environment(WORKER),
            timeout=60,
            check=False,
        )
        assert died.returncode == -9
        written.append(db["audit"].count_documents(wanted))
        # Its lease would end by itself.
        stored.update_one({"_id": "audit"}, {"$set": {"lease_until": None}})
    assert 0 < written[0] < len(tasks) * 2
    assert written[1] == len(tasks) * 2
    assert stored.find_one({"_id": "audit"}, {"resume_token": 1}) == place
    api.start_worker()

    last = ok(ada.post("/events", EVENT), 201)["id"]
    trail_of(db, "events", last, 1)
    for task_id in tasks:
        assert [entry["action"] for entry in trail_of(db, "tasks", task_id, 2)] == ["task.create", "task.update"]
    assert db["audit"].count_documents(wanted) == len(tasks) * 2
    assert stored.find_one({"_id": "audit"}, {"resume_token": 1}) != place


@pytest.mark.usefixtures("no_worker")
def test_history_that_is_lost_is_said_in_the_trail(cluster: LocalCluster, ada: Caller, db: Db) -> None:
    """Once, with the time since which something may be missing; what comes later is told."""
    follower = db["followers"].find_one({"_id": "audit"})
    missed, before = ada.task()["id"], db["audit"].count_documents({"action": "audit.gap"})
    with door(cluster, 0) as api, router_of(cluster, 0) as router:
        point = {"failCommands": ["aggregate"], "errorCode": HISTORY_LOST}
        router.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=point)
        with following(api):
            gap = wait_until("the gap", lambda: newest_gap(db, follower), DONE_S)
            trail_of(db, "tasks", ada.task()["id"], 1)

    assert (gap["ok"], gap["actor_id"], gap["resource"]) == (False, None, "audit")
    assert gap["detail"]["mongodb_code"] == HISTORY_LOST
    assert db["audit"].count_documents({"resource_id": item_id(missed)}) == 0
    assert db["audit"].count_documents({"action": "audit.gap"}) == before + 1


@pytest.mark.usefixtures("no_worker")
def test_a_new_trail_begins_on_the_first_day(
    cluster: LocalCluster, ada: Caller, db: Db, admin_client: MongoClient[Any]
) -> None:
    """What was changed before any worker ran is told too, and nothing is missing; what was told is not told again."""
    task_id, gaps = ada.task()["id"], db["audit"].count_documents({"action": "audit.gap"})
    admin_client[cluster.database]["followers"].delete_one({"_id": "audit"})

    with door(cluster, 0) as api, following(api):
        trail_of(db, "tasks", task_id, 1)

    follower = db["followers"].find_one({"_id": "audit"})
    assert follower is not None
    assert follower["start_at"].time > 1
    assert db["audit"].count_documents({"action": "audit.gap"}) == gaps
    assert db["audit"].count_documents({"resource_id": item_id(task_id)}) == 1


HISTORY_LOST = 286


def newest_gap(db: Db, follower: Any) -> Entry:
    for entry in db["audit"].find({"action": "audit.gap"}).sort("at", -1).limit(1):
        if entry["detail"]["since"] == follower["seen_at"]:
            return entry
    raise NotReady("no gap told")


@contextmanager
def router_of(cluster: LocalCluster, number: int) -> Iterator[MongoClient[Any]]:
    """One router, as who may do everything."""
    login, address = cluster.login(ADMIN), cluster.cluster.routers[number].address
    with MongoClient[Any](address, username=login.username, password=login.password) as found:
        yield found


@contextmanager
def following(api: Door) -> Iterator[None]:
    """The part of a worker that writes the trail, in a thread of this process."""
    stopping = threading.Event()
    thread = threading.Thread(target=trail.follow, args=(api.app, stopping))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@pytest.mark.usefixtures("no_worker")
def test_one_worker_at_a_time_writes_the_trail(cluster: LocalCluster) -> None:
    """Another one waits for the end of the lease, or for its release."""
    now, later = datetime.now(UTC), datetime.now(UTC) + timedelta(seconds=60)
    with door(cluster, 0) as api, api.app.app_context():
        assert followers.take_follower("test", "one", now, later) is not None
        assert followers.take_follower("test", "two", now, later) is None
        assert followers.take_follower("test", "one", now, later) is not None
        assert followers.take_follower("test", "two", later, later) is not None
        assert not followers.move_follower("test", "one", Start(None, followers.BEGINNING), now, later)
        followers.release_follower("test", "two")
        assert followers.take_follower("test", "three", now, later) is not None


@pytest.mark.usefixtures("no_worker")
def test_a_worker_goes_on_where_the_one_before_has_come_to(
    cluster: LocalCluster, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the beginning: the servers' own logs do not reach back to it for long."""
    begun: list[Start] = []

    def seen(start: Start) -> None:
        begun.append(start)
        raise AutoReconnect("enough is known")

    monkeypatch.setattr(followers, "open_versions", seen)
    with door(cluster, 0) as api, api.app.app_context():
        with pytest.raises(AutoReconnect):
            trail._follow_as("test", threading.Event())
        followers.release_follower(trail.NAME, "test")

    noted = db["followers"].find_one({"_id": "audit"})
    assert noted is not None
    assert noted["resume_token"] is not None
    assert begun[0].resume_token == noted["resume_token"]

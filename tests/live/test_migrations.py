"""Migrations on a real cluster: up and down, from drift, one at a time, resumed, beside writers."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from test_failover import task

from cluster.__main__ import main
from cluster.collections import BY_NAME
from cluster.errors import ClusterError
from cluster.layout import PACKAGE_ROOT
from cluster.local import LocalCluster
from cluster.migrate.files import load_migrations
from cluster.migrate.history import note, notes_of
from cluster.migrate.lock import Lock, LockLost
from cluster.migrate.run import Migrator
from cluster.progress import Progress
from cluster.roles import ADMIN
from cluster.wait import NotReady, wait_until

pytestmark = pytest.mark.timeout(180)

Client = MongoClient[dict[str, Any]]
DB = "shardboard"
BACKFILL = "0002_give_tasks_the_month_of_their_creation"
COUNT = len(load_migrations())
# How many are reverted with it.
TO_BACKFILL = str(COUNT - 1)
NEXT = f"{COUNT + 1:04}_drop_the_index_on_title"


@pytest.fixture(scope="module")
def client(spare_cluster: LocalCluster) -> Iterator[Client]:
    """A client of the routers that may do everything; what other tests have left in the cluster is gone."""
    with MongoClient[dict[str, Any]](spare_cluster.uri(ADMIN), tz_aware=True) as opened:
        for name in BY_NAME.keys() - {"migrations"}:
            opened[DB][name].delete_many({})
        yield opened


@pytest.fixture
def tasks(client: Client) -> Iterator[Any]:
    """Some thousand tasks of many owners, gone afterwards."""
    collection = client[DB]["tasks"]
    owners = [ObjectId() for _ in range(200)]
    collection.insert_many([task(owners[n % 200], n) for n in range(6_000)], ordered=False)
    yield collection
    collection.delete_many({})


def migrate(cluster: LocalCluster, *arguments: str) -> int:
    return main(["migrate", *arguments, "--data", str(cluster.data_dir.root)])


def state_of(cluster: LocalCluster, client: Client, name: str = BACKFILL) -> str:
    """What the history says of a migration."""
    entries = Migrator(client, cluster.database, load_migrations(), Progress(quiet=True)).entries()
    return next(entry.state for entry in entries if entry.name == name)


def test_a_new_cluster_has_nothing_to_apply(spare_cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """It was made from today's declaration, so the steps that led there are noted as applied."""
    assert migrate(spare_cluster, "status") == 0

    lines = capsys.readouterr().out.splitlines()
    assert all("  applied" in line for line in lines[:-1]) and lines[-1] == "Nothing to apply."


def test_migrations_lead_from_nothing_to_the_declaration_and_back(
    spare_cluster: LocalCluster, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the numbered files make is what `check` expects; the way back leaves nothing but the history."""
    assert migrate(spare_cluster, "downgrade", str(COUNT)) == 0
    assert client[DB].list_collection_names() == ["migrations"]

    assert migrate(spare_cluster, "upgrade") == 0

    as_declared = main(["check", "--data", str(spare_cluster.data_dir.root)]) == 0
    shown = capsys.readouterr().out
    if not as_declared:
        # For the tests after this one.
        client.drop_database(DB)
        spare_cluster.init(Progress(quiet=True))
    assert as_declared, f"The declaration has changed: run `scripts/cluster migrate new -m TEXT --auto`.\n{shown}"
    assert f"{COUNT} applied." in shown


def test_the_first_migration_is_not_reverted_over_documents(
    spare_cluster: LocalCluster, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dropping what people have written is nobody's downgrade."""
    client[DB]["imports"].insert_one({"_id": ObjectId()}, bypass_document_validation=True)
    try:
        assert migrate(spare_cluster, "downgrade", str(COUNT)) == 1
        assert "shardboard.imports holds documents and was not dropped" in capsys.readouterr().err
    finally:
        client[DB]["imports"].delete_many({})
        assert migrate(spare_cluster, "upgrade") == 0


def test_a_migration_is_written_from_drift_and_works_both_ways(
    spare_cluster: LocalCluster, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`new --auto` writes what `check` sees; upgrade mends it, downgrade brings the drift back."""
    files = ("--migrations", str(tmp_path))
    for path in PACKAGE_ROOT.glob("cluster/migrations/0*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    client[DB]["tasks"].create_index("title")
    client[DB].command("collMod", "events", validator={})

    assert migrate(spare_cluster, "new", "-m", "Drop the index on title", "--auto", *files) == 0
    written = tmp_path / f"{NEXT}.py"
    assert 'DropIndex("tasks", {"key": {"title": 1}, "name": "title_1"})' in written.read_text()
    assert migrate(spare_cluster, "upgrade", *files) == 0
    assert main(["check", "--data", str(spare_cluster.data_dir.root)]) == 0

    assert migrate(spare_cluster, "downgrade", *files) == 0
    assert "title_1" in client[DB]["tasks"].index_information()
    assert migrate(spare_cluster, "upgrade", *files) == 0
    capsys.readouterr()
    assert migrate(spare_cluster, "new", "-m", "x", "--auto", *files) == 1
    assert "Nothing differs" in capsys.readouterr().err

    # Without its file the applied one is known by name only, and nothing more is applied.
    assert migrate(spare_cluster, "upgrade") == 1
    assert f"{NEXT} was applied by another version" in capsys.readouterr().err
    assert migrate(spare_cluster, "downgrade", *files) == 0
    client[DB]["tasks"].drop_index("title_1")
    assert main(["check", "--fix", "--data", str(spare_cluster.data_dir.root)]) == 0


class FrozenLock(Lock):
    """The lock of a command that is stopped (SIGSTOP, a sleeping laptop): it renews nothing."""

    def _renew_until_ended(self) -> None:
        """Nothing."""


def test_two_commands_do_not_migrate_at_once(
    spare_cluster: LocalCluster, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second says who is at work and until when the lock holds."""
    with Lock(notes_of(client, DB)):
        assert migrate(spare_cluster, "upgrade") == 1

    said = capsys.readouterr().err
    assert said.startswith("A migration is running on ") and "(pid " in said and "UTC" in said
    assert migrate(spare_cluster, "upgrade") == 0


def test_a_lock_is_renewed_while_its_owner_works(client: Client) -> None:
    """An index build may take longer than the lock."""
    with Lock(notes_of(client, DB), 0.6) as lock:
        time.sleep(1.2)
        lock.require()
        with pytest.raises(ClusterError, match="A migration is running"), Lock(notes_of(client, DB)):
            pass


def test_an_owner_that_lost_its_lock_stops_and_notes_nothing_more(client: Client) -> None:
    """Frozen past its expiry, it must not go on over the work of the next owner."""
    notes = notes_of(client, DB)
    with FrozenLock(notes, 0.3) as frozen:
        wait_until("the lock's expiry", lambda: taken_over(notes, frozen), 10)
        with pytest.raises(LockLost):
            frozen.require()
        # Even if it does not notice: the number of the later owner stands in its way.
        frozen._good_until = time.monotonic() + 60
        with pytest.raises(LockLost):
            note(notes, frozen, "9999_fenced", {"state": "applied"})
    assert notes.find_one({"_id": "9999_fenced"})["state"] == "reverted"  # type: ignore[index]
    notes.delete_one({"_id": "9999_fenced"})


def taken_over(notes: Any, frozen: Lock) -> None:
    """The next owner takes the lock and notes something."""
    try:
        with Lock(notes) as later:
            assert later.fence > frozen.fence
            note(notes, later, "9999_fenced", {"state": "reverted"})
    except ClusterError as error:
        raise NotReady(str(error)) from error


def test_a_backfill_that_was_killed_goes_on_where_it_was(
    spare_cluster: LocalCluster, client: Client, tasks: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a SIGKILL the next run waits for the lock's expiry, then does the rest only."""
    assert migrate(spare_cluster, "downgrade", TO_BACKFILL) == 0
    files = tmp_path / "migrations"
    files.mkdir()
    for path in PACKAGE_ROOT.glob("cluster/migrations/0*.py"):
        text = path.read_text().replace('"created_month", MONTH)', '"created_month", MONTH, batch=50)')
        (files / path.name).write_text(text)
    argv = [sys.executable, "-m", "cluster", "migrate", "upgrade", "--lock-s", "2", "--migrations", str(files)]
    running = subprocess.Popen([*argv, "--data", str(spare_cluster.data_dir.root)], cwd=PACKAGE_ROOT)

    def done() -> int:
        state = client[DB]["migrations"].find_one({"_id": BACKFILL})["progress"]  # type: ignore[index]
        walked = [step["done"] for step in state.values()]
        if not walked or walked[0] < 500:
            raise NotReady(f"{state}")
        return int(walked[0])

    wait_until("some steps", done, 30)
    running.kill()
    running.wait(10)
    walked = done()
    filled = tasks.count_documents({"created_month": {"$exists": True}})
    assert 500 <= walked <= filled < 6_000 and state_of(spare_cluster, client) == "upgrading"

    def upgraded() -> None:
        if migrate(spare_cluster, "upgrade", "--migrations", str(files)) != 0:
            raise NotReady(capsys.readouterr().err)

    # Steps of 50 again: the last 500 that were done before the kill would show as walked twice.
    capsys.readouterr()
    wait_until("the lock's expiry", upgraded, 20)

    assert "6,000 of 6,000" in capsys.readouterr().out
    assert tasks.count_documents({"created_month": task(ObjectId(), 0)["created_at"].strftime("%Y-%m")}) == 6_000
    assert migrate(spare_cluster, "downgrade", TO_BACKFILL) == 0 and migrate(spare_cluster, "upgrade") == 0


def test_writers_do_not_wait_for_a_backfill(spare_cluster: LocalCluster, client: Client, tasks: Any) -> None:
    """Updates of the same documents go on meanwhile, each well under a second, and none is lost."""
    assert migrate(spare_cluster, "downgrade", TO_BACKFILL) == 0
    keys = list(tasks.find({}, {"owner_id": 1}).limit(500))
    seconds, stop = [], threading.Event()

    def write() -> None:
        while not stop.is_set():
            key = keys[len(seconds) % len(keys)]
            started = time.monotonic()
            assert tasks.update_one(key, {"$inc": {"version": 1}}).matched_count == 1
            seconds.append(time.monotonic() - started)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert migrate(spare_cluster, "upgrade") == 0
    finally:
        stop.set()
        writer.join()

    assert len(seconds) > 50 and max(seconds) < 1 and statistics.median(seconds) < 0.1
    assert sum(row["version"] - 1 for row in tasks.find({}, {"version": 1})) == len(seconds)
    assert tasks.count_documents({"created_month": {"$exists": False}}) == 0

"""Every named query goes where it is declared to go: the router itself is asked."""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from api_support import KEY
from bson import ObjectId, Timestamp
from flask import Flask
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from api import create_app, store
from api.services import services
from api.store.audit import BY_TIME
from api.store.followers import Start
from api.store.login_attempts import Limit
from api.store.owned import change
from api.store.query import QUERIES
from cluster.collections import BY_NAME
from cluster.local import LocalCluster
from cluster.queries import QUERIES as DECLARED
from cluster.queries import Targeted
from cluster.roles import ADMIN, WORKER

for module in pkgutil.iter_modules(store.__path__):
    importlib.import_module(f"{store.__name__}.{module.name}")

# So many that every shard has some.
MANY = [ObjectId() for _ in range(40)]
ID, OTHER, AT = ObjectId(), ObjectId(), datetime(2026, 1, 31, tzinfo=UTC)
TEXT_ID = "routing-test-0123456789"
UPDATE = change({"title": "x"}, None, None, AT)
BY_ID = [("_id", 1)]
START = Start(None, Timestamp(1, 1))
BY_START = [("starts_at", 1), ("_id", 1)]
BY_DUE = [("due_at", 1), ("_id", 1)]

# The arguments of each query; none of them finds or changes anything that another test needs.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "audit.count_entries": (BY_TIME, [], 10),
    "audit.estimate_entries": (),
    "audit.insert_entries": ([{"_id": each} for each in MANY],),
    "audit.insert_entry": ({"_id": ID},),
    "audit.insert_missing_entries": ([{"_id": each} for each in MANY],),
    "audit.list_entries": (BY_TIME, [], BY_TIME, 10),
    "email_tokens.delete_tokens_of": (ID,),
    "email_tokens.find_token": (TEXT_ID, "verify_email", AT),
    "email_tokens.insert_token": ({"_id": TEXT_ID},),
    "email_tokens.take_token": (TEXT_ID, "verify_email", AT),
    "events.count_events_of_owner": (ID, [], 10),
    "events.count_all_events": ([], 10),
    "events.delete_event": (ID, OTHER, {"version": {"$in": [1]}}),
    "events.delete_events": ([{"owner_id": ID, "_id": OTHER}],),
    "events.find_some_events_of_owner": (ID, 10),
    "events.estimate_events": (),
    "events.find_event": (ID, OTHER, {}),
    "events.insert_event": ({"_id": ID, "owner_id": ID},),
    "events.list_all_events": ([], BY_START, 10),
    "events.list_events_by_key": ([((each, OTHER), {}) for each in MANY],),
    "events.list_events_of_owner": (ID, [], BY_START, 10),
    "events.search_events_of_owner": (ID, "starts_at", [{"title": "x"}], BY_START, 10),
    "events.update_event": (ID, OTHER, {"version": {"$in": [1]}}, UPDATE),
    "followers.move_follower": (TEXT_ID, TEXT_ID, START, AT, AT),
    "followers.release_follower": (TEXT_ID, TEXT_ID),
    "followers.take_follower": (TEXT_ID, TEXT_ID, AT, AT),
    "idempotency.fill_answer": (TEXT_ID, 200, {}, b""),
    "idempotency.find_answer": (TEXT_ID,),
    "idempotency.insert_answer": (TEXT_ID, TEXT_ID, AT),
    "import_chunks.delete_chunks": (ID,),
    "import_chunks.find_chunk": (ID, 0),
    "import_chunks.insert_chunk": (ID, 0, [{}] * 501, AT),
    "imports.advance_import": (ID, 0, {"rows_done": 1}, [{"row": 2}], {"state": "done"}),
    "imports.count_imports_of_owner": (ID, [], 10),
    "imports.count_unfinished_imports": (ID,),
    "imports.delete_import": (ID, {"owner_id": OTHER}),
    "imports.fail_import": (ID, "x", AT),
    "imports.find_import": (ID, {"owner_id": OTHER}),
    "imports.insert_import": ({"_id": ID},),
    "imports.list_import_ids_of_owner": (ID, 10),
    "imports.list_imports_of_owner": (ID, [], BY_ID, 10),
    "login_attempts.count_attempt": (TEXT_ID, AT, Limit(3, 60, 1, 60)),
    "login_attempts.count_request": (TEXT_ID, AT, 60),
    "login_attempts.forget_attempts": (TEXT_ID,),
    "login_attempts.take_back_attempt": (TEXT_ID, AT),
    "outbox.continue_entry": (ID, TEXT_ID, AT),
    "outbox.count_open_entries": (),
    "migrations.find_first_migration": (),
    "outbox.find_due_entries": (AT, 10),
    "outbox.finish_entry": (ID, TEXT_ID, AT),
    "outbox.insert_entry": ("nothing", {}, datetime(2100, 1, 1, tzinfo=UTC)),
    "outbox.lease_entry": (ID, TEXT_ID, AT, AT),
    "outbox.postpone_entry": (ID, TEXT_ID, "waiting", AT, "x"),
    "projects.count_all_projects": ([{"status": "active"}], 10),
    "projects.count_projects_of": (ID, [{"status": "active"}], 10),
    "projects.count_projects_of_owner": (ID, [{"status": "active"}], 10),
    "projects.delete_project": (ID,),
    "projects.estimate_projects": (),
    "projects.find_project": (ID, {"member_ids": OTHER}),
    "projects.insert_project": ({"_id": ID},),
    "projects.list_project_ids_of": (ID,),
    "projects.list_project_versions_of": (ID,),
    "projects.list_project_ids_of_owner": (ID, 10),
    "projects.list_all_projects": ([{"status": "active"}], BY_ID, 10),
    "projects.list_names": (MANY, {"member_ids": OTHER}),
    "projects.list_projects_by_id": (MANY, {"member_ids": OTHER}),
    "projects.list_projects_of": (ID, [{"status": "active"}], BY_ID, 10),
    "projects.list_projects_of_owner": (ID, [{"status": "active"}], BY_ID, 10),
    "projects.update_project": (ID, [{"owner_id": OTHER}], UPDATE),
    "reminders.delete_reminder": (ID, OTHER, {}),
    "reminders.delete_reminders": ([{"owner_id": ID, "_id": OTHER}],),
    "reminders.find_some_reminders_of_owner": (ID, 10),
    "reminders.find_oldest_due": (AT,),
    "reminders.find_some_reminders_of_task": (ID, OTHER, 10),
    "reminders.find_reminder": (ID, OTHER, {}),
    "reminders.insert_reminder": ({"_id": ID, "owner_id": ID},),
    "reminders.count_reminders_of_owner": (ID, [], 10),
    "reminders.list_reminders_by_key": ([((each, OTHER), {}) for each in MANY],),
    "reminders.list_reminders_of_owner": (ID, [], BY_ID, 10),
    "reminders.update_reminder": (ID, OTHER, {}, UPDATE),
    "sessions.find_live_session": (TEXT_ID, ID),
    "sessions.find_session": (TEXT_ID,),
    "sessions.insert_session": ({"_id": TEXT_ID},),
    "sessions.list_live_ids": ([f"{TEXT_ID}{number}" for number in range(40)],),
    "sessions.list_live_sessions": (ID, AT),
    "sessions.revoke_session": (TEXT_ID, ID, "x", AT),
    "sessions.rotate_session": (TEXT_ID, TEXT_ID, AT, {"secret_hash": TEXT_ID}),
    "tasks.count_all_tasks": ([{"status": "done"}], 10),
    "tasks.count_done_per_day_of_all": (AT, "UTC"),
    "tasks.count_done_per_day_of_owner": (ID, AT, "UTC"),
    "tasks.count_of_all": (AT,),
    "tasks.count_of_owner": (ID, AT),
    "tasks.count_tasks_of_assignee": (ID, [{"status": "done"}], 10),
    "tasks.count_tasks_of_owner": (ID, [{"status": "done"}], 10),
    "tasks.count_tasks_of_project": (ID, [{"status": "done"}], 10),
    "tasks.delete_task": (ID, OTHER, {"version": {"$in": [1]}}),
    "tasks.delete_tasks": ([{"owner_id": ID, "_id": OTHER}],),
    "tasks.find_some_tasks_of_owner": (ID, 10),
    "tasks.estimate_tasks": (),
    "tasks.find_open_task_of_project": (ID,),
    "tasks.find_some_tasks_of_project": (ID, {"assignee_id": OTHER}, 10),
    "tasks.find_some_tasks_of_assignee": (ID, 10),
    "tasks.find_task": (ID, OTHER, {"assignee_id": OTHER}),
    "tasks.insert_task": ({"_id": ID, "owner_id": ID},),
    "tasks.insert_tasks": ([{"_id": ID, "owner_id": ID}],),
    "tasks.list_all_tasks": ([{"status": "done"}], BY_DUE, 10),
    "tasks.list_tasks_by_key": ([((each, OTHER), {}) for each in MANY],),
    "tasks.list_task_ids_among": (ID, [OTHER]),
    "tasks.list_tasks_of_assignee": (ID, [{"status": "done"}], BY_DUE, 10),
    "tasks.list_tasks_of_project": (ID, [{"status": "done"}], BY_DUE, 10),
    "tasks.list_tasks_of_owner": (ID, [{"status": "done"}], BY_DUE, 10),
    "tasks.search_tasks_of_owner": (ID, "due_at", [{"status": "done"}], BY_DUE, 10),
    "tasks.unassign_task": (ID, OTHER, OTHER, UPDATE),
    "tasks.update_task": (ID, OTHER, {"version": {"$in": [1]}}, UPDATE),
    "tickets.insert_ticket": ({"_id": TEXT_ID},),
    "tickets.take_ticket": (TEXT_ID,),
    "user_claims.delete_claim": ("email", "x@example.org", ID),
    "user_claims.find_claim": ("email", "x@example.org"),
    "user_claims.insert_claim": ("email", "routing@example.org", ID, AT),
    "users.count_people": ([{"name_folded": "ada"}], 10),
    "users.count_users": ([{"role": "member"}], 10),
    "users.delete_user": (ID,),
    "users.estimate_users": (),
    "users.find_standing": (ID,),
    "users.find_user": (ID,),
    "users.insert_user": ({"_id": ID},),
    "users.list_names": (MANY,),
    "users.list_people": ("name_folded", [{"name_folded": "ada"}], [("name_folded", 1), ("_id", 1)], 10),
    "users.list_standings": (MANY,),
    "users.list_users": ([{"role": "member"}], [("created_at", -1), ("_id", -1)], 10),
    "users.list_users_by_id": (MANY,),
    "users.note_login": (ID, AT, None),
    "users.update_user": (ID, {"version": {"$in": [1]}}, UPDATE),
}

# What the driver and the router add; `explain` takes a command without them, and without a read concern.
NOT_EXPLAINED = ("lsid", "txnNumber", "$db", "$clusterTime", "readConcern", "writeConcern", "maxTimeMS", "comment")


class Recorder(CommandListener):
    """The commands of named queries, as they were sent."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if "comment" in event.command:
            self.commands.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing: only what was sent matters."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing: the invalid documents of this test are refused."""


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def app(cluster: LocalCluster, recorder: Recorder) -> Iterator[Flask]:
    """The application in this process, its commands recorded."""
    environ = {"MONGODB_URI": cluster.uri(WORKER), "JWT_KEYS": KEY, "MONGODB_DB": cluster.database}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.db.WriteWatch", lambda: recorder)
        made = create_app(environ)
    with made.app_context():
        yield made
        services().connection.close()


@pytest.fixture(scope="module")
def admin_db(cluster: LocalCluster) -> Iterator[Database[dict[str, Any]]]:
    """The database as one who may explain everything."""
    with MongoClient[dict[str, Any]](cluster.uri(ADMIN)) as client:
        yield client[cluster.database]


def test_every_query_has_arguments_here() -> None:
    """A query that is added is added to this test."""
    assert set(ARGUMENTS) == set(QUERIES)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_goes_where_it_is_declared_to_go(
    app: Flask, recorder: Recorder, admin_db: Database[dict[str, Any]], name: str
) -> None:
    """One shard for a targeted one, every shard for a scatter; and it carries its name."""
    recorder.commands.clear()
    with app.app_context(), suppress(PyMongoError):
        QUERIES[name](*ARGUMENTS[name])
    assert {command["comment"] for command in recorder.commands} == {name}

    shards = [shards_of(admin_db, command) for command in recorder.commands]

    expected = 1 if isinstance(DECLARED[name], Targeted) else 2
    assert [len(found) for found in shards] == [expected] * len(shards), shards


def shards_of(db: Database[dict[str, Any]], command: dict[str, Any]) -> set[str]:
    """The shards that the router says it would ask."""
    kind = next(iter(command))
    if kind == "insert":
        key = BY_NAME[command["insert"]].shard_key_fields
        keys = [{field: document[field] for field in key} for document in command["documents"]]
        command = {"find": command["insert"], "filter": {"$or": keys} if len(keys) > 1 else keys[0]}
    plain = {field: value for field, value in command.items() if field not in NOT_EXPLAINED}
    explained = db.command("explain", plain, verbosity="queryPlanner")
    # An aggregation tells its shards in a place of its own.
    if "shards" in explained:
        return set(explained["shards"])
    return {shard["shardName"] for shard in explained["queryPlanner"]["winningPlan"]["shards"]}

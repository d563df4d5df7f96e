"""How every named query of `api/store` is routed, declared.

A name is `<collection>.<function>`; `store/` sends it as the command's `comment`, so that logs and the profiler name
the query too. A live test explains every query through the router and compares. A query with no declaration, or a
declaration with no query, fails it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Targeted:
    """Goes to the one shard that owns the shard key in its filter or document."""


@dataclass(frozen=True)
class Scatter:
    """Goes to every shard; `reason` says why that is right."""

    reason: str


Routing = Targeted | Scatter

TARGETED = Targeted()

ADMINS_LIST = Scatter("an admin's list of everybody's documents, merged from sorted index scans")
OF_A_PROJECT = Scatter("tasks lie with their owners, of whom a project has many")
METADATA = Scatter("adds up the shards' own counters, cached by the API")
SPREAD_BY_ID = Scatter("documents are spread by their own id, and an index on the person serves each shard's part")
PEOPLE_IN_ORDER = Scatter("people in the order of their names, spread by their ids")
OF_A_PAGE = Scatter("those of one page, spread by their ids")
OF_SEVERAL_OWNERS = Scatter("each by its whole key: goes to the shards of their owners")
WORK_OF_ALL = Scatter("work that waits on every shard, measured every ten seconds at most, by the worker alone")
OF_CLIENTS = Scatter("those of all who follow changes in a process, once a second")

QUERIES: dict[str, Routing] = {
    "audit.count_entries": ADMINS_LIST,
    "audit.estimate_entries": METADATA,
    "audit.insert_entries": Scatter("each entry lies by its own id"),
    "audit.insert_entry": TARGETED,
    "audit.insert_missing_entries": Scatter("each entry lies by its own id"),
    "audit.list_entries": ADMINS_LIST,
    "email_tokens.delete_tokens_of": SPREAD_BY_ID,
    "email_tokens.find_token": TARGETED,
    "email_tokens.insert_token": TARGETED,
    "email_tokens.take_token": TARGETED,
    "events.count_events_of_owner": TARGETED,
    "events.count_all_events": ADMINS_LIST,
    "events.delete_event": TARGETED,
    "events.delete_events": TARGETED,
    "events.find_some_events_of_owner": TARGETED,
    "events.estimate_events": METADATA,
    "events.find_event": TARGETED,
    "events.insert_event": TARGETED,
    "events.list_all_events": ADMINS_LIST,
    "events.list_events_by_key": OF_SEVERAL_OWNERS,
    "events.list_events_of_owner": TARGETED,
    "events.search_events_of_owner": TARGETED,
    "events.update_event": TARGETED,
    "followers.move_follower": TARGETED,
    "followers.release_follower": TARGETED,
    "followers.take_follower": TARGETED,
    "idempotency.fill_answer": TARGETED,
    "idempotency.find_answer": TARGETED,
    "idempotency.insert_answer": TARGETED,
    "import_chunks.delete_chunks": TARGETED,
    "import_chunks.find_chunk": TARGETED,
    "import_chunks.insert_chunk": TARGETED,
    "imports.advance_import": TARGETED,
    "imports.count_imports_of_owner": SPREAD_BY_ID,
    "imports.count_unfinished_imports": SPREAD_BY_ID,
    "imports.delete_import": TARGETED,
    "imports.fail_import": TARGETED,
    "imports.find_import": TARGETED,
    "imports.insert_import": TARGETED,
    "imports.list_import_ids_of_owner": SPREAD_BY_ID,
    "imports.list_imports_of_owner": SPREAD_BY_ID,
    "login_attempts.count_attempt": TARGETED,
    "login_attempts.count_request": TARGETED,
    "login_attempts.forget_attempts": TARGETED,
    "login_attempts.take_back_attempt": TARGETED,
    "outbox.continue_entry": TARGETED,
    "outbox.count_open_entries": WORK_OF_ALL,
    "migrations.find_first_migration": TARGETED,
    "outbox.find_due_entries": Scatter("work of every shard, oldest first, asked for by the worker alone"),
    "outbox.finish_entry": TARGETED,
    "outbox.insert_entry": TARGETED,
    "outbox.lease_entry": TARGETED,
    "outbox.postpone_entry": TARGETED,
    "projects.count_all_projects": ADMINS_LIST,
    "projects.count_projects_of": SPREAD_BY_ID,
    "projects.count_projects_of_owner": SPREAD_BY_ID,
    "projects.delete_project": TARGETED,
    "projects.estimate_projects": METADATA,
    "projects.find_project": TARGETED,
    "projects.insert_project": TARGETED,
    "projects.list_all_projects": ADMINS_LIST,
    "projects.list_project_ids_of": SPREAD_BY_ID,
    "projects.list_project_ids_of_owner": SPREAD_BY_ID,
    "projects.list_names": OF_A_PAGE,
    "projects.list_projects_by_id": OF_A_PAGE,
    "projects.list_project_versions_of": SPREAD_BY_ID,
    "projects.list_projects_of": SPREAD_BY_ID,
    "projects.list_projects_of_owner": SPREAD_BY_ID,
    "projects.update_project": TARGETED,
    "reminders.delete_reminder": TARGETED,
    "reminders.delete_reminders": TARGETED,
    "reminders.find_some_reminders_of_owner": TARGETED,
    "reminders.find_some_reminders_of_task": Scatter("reminders lie with their owners, of whom a task has many"),
    "reminders.find_oldest_due": WORK_OF_ALL,
    "reminders.find_reminder": TARGETED,
    "reminders.insert_reminder": TARGETED,
    "reminders.count_reminders_of_owner": TARGETED,
    "reminders.list_reminders_by_key": OF_SEVERAL_OWNERS,
    "reminders.list_reminders_of_owner": TARGETED,
    "reminders.update_reminder": TARGETED,
    "sessions.find_live_session": TARGETED,
    "sessions.find_session": TARGETED,
    "sessions.insert_session": TARGETED,
    "sessions.list_live_ids": OF_CLIENTS,
    "sessions.list_live_sessions": SPREAD_BY_ID,
    "sessions.revoke_session": TARGETED,
    "sessions.rotate_session": TARGETED,
    "tickets.insert_ticket": TARGETED,
    "tickets.take_ticket": TARGETED,
    "tasks.count_all_tasks": ADMINS_LIST,
    "tasks.count_done_per_day_of_all": ADMINS_LIST,
    "tasks.count_done_per_day_of_owner": TARGETED,
    "tasks.count_of_all": ADMINS_LIST,
    "tasks.count_of_owner": TARGETED,
    "tasks.count_tasks_of_assignee": Scatter("tasks lie with their owners, of whom an assignee has many"),
    "tasks.count_tasks_of_owner": TARGETED,
    "tasks.count_tasks_of_project": OF_A_PROJECT,
    "tasks.delete_task": TARGETED,
    "tasks.delete_tasks": TARGETED,
    "tasks.find_some_tasks_of_owner": TARGETED,
    "tasks.estimate_tasks": METADATA,
    "tasks.find_open_task_of_project": OF_A_PROJECT,
    "tasks.find_some_tasks_of_project": OF_A_PROJECT,
    "tasks.find_some_tasks_of_assignee": Scatter("whoever owns them: asked for by the worker when a user is deleted"),
    "tasks.find_task": TARGETED,
    "tasks.insert_task": TARGETED,
    "tasks.insert_tasks": TARGETED,
    "tasks.list_all_tasks": ADMINS_LIST,
    "tasks.list_tasks_by_key": OF_SEVERAL_OWNERS,
    "tasks.list_task_ids_among": TARGETED,
    "tasks.list_tasks_of_assignee": Scatter("tasks lie with their owners, of whom an assignee has many"),
    "tasks.list_tasks_of_project": OF_A_PROJECT,
    "tasks.list_tasks_of_owner": TARGETED,
    "tasks.search_tasks_of_owner": TARGETED,
    "tasks.unassign_task": TARGETED,
    "tasks.update_task": TARGETED,
    "user_claims.delete_claim": TARGETED,
    "user_claims.find_claim": TARGETED,
    "user_claims.insert_claim": TARGETED,
    "users.count_people": PEOPLE_IN_ORDER,
    "users.count_users": ADMINS_LIST,
    "users.delete_user": TARGETED,
    "users.estimate_users": METADATA,
    "users.find_standing": TARGETED,
    "users.find_user": TARGETED,
    "users.insert_user": TARGETED,
    "users.list_names": OF_A_PAGE,
    "users.list_people": PEOPLE_IN_ORDER,
    "users.list_standings": OF_CLIENTS,
    "users.list_users": ADMINS_LIST,
    "users.list_users_by_id": OF_A_PAGE,
    "users.note_login": TARGETED,
    "users.update_user": TARGETED,
}

"""Every collection of Shardboard, declared once: shard key, indexes, validator.

`cluster init` applies it, `cluster check` compares it, and nothing else creates a collection or an index.
The routing of each named query over these collections is declared in `cluster/queries.py`.
"""

from .declaration import (
    ANYTHING,
    BOOL,
    DATE,
    OBJECT,
    OBJECT_ID,
    Collection,
    Index,
    Keys,
    array,
    document,
    integer,
    nullable,
    one_of,
    text,
)

ROLES = ("member", "admin")
USER_STATUSES = ("active", "disabled", "deleting")
TASK_STATUSES = ("pending", "in_progress", "done", "cancelled")
PROJECT_STATUSES = ("active", "archived", "deleting")
WORK_STATES = ("waiting", "leased", "done", "failed")
IMPORT_STATES = ("waiting", "running", "done", "failed")

# Errors of rows that an import keeps; those beyond are counted.
MAX_IMPORT_ERRORS = 1000
MAX_CHUNK_ROWS = 500

# `_id` hashed: reads and writes by id hit one shard, documents spread from the first one on.
BY_ID: Keys = (("_id", "hashed"),)
# Owner first, so that "mine" is one shard; `_id` after it, so that a heavy owner can still be split.
BY_OWNER: Keys = (("owner_id", "hashed"), ("_id", 1))

DAY_S = 24 * 60 * 60

# Carried by every document a client can change: the audit trail is derived from them.
STAMPS = {
    "created_at": DATE,
    "updated_at": DATE,
    "updated_by": nullable(OBJECT_ID),
    "request_id": nullable(text(200)),
    "version": integer(1),
}
# Which version, by whom, by which request, e.g. `7 65a... 3f2c...`: what an update event is sure to have in it.
MARK = {"last_change": text(300)}
# And who lost sight of it last, of what is seen by more people than its owner, see `api/store/owned.py`.
MARKS = {**MARK, "left": text(100)}


def _index(*keys: tuple[str, int]) -> Index:
    return Index(keys)


USERS = Collection(
    "users",
    BY_ID,
    document(
        {
            "_id": OBJECT_ID,
            "username": text(32, 3),
            "email": text(254, 3),
            "name": text(200),
            # The beginnings of both, as the directory compares and sorts them.
            "username_folded": text(100, 1),
            "name_folded": text(100),
            "role": one_of(*ROLES),
            "status": one_of(*USER_STATUSES),
            "time_zone": text(64),
            "preferences": OBJECT,
            "password_hash": text(512, 1),
            "token_version": integer(1),
            "last_login_at": nullable(DATE),
            "email_verified_at": nullable(DATE),
            **STAMPS,
        },
        MARK,
    ),
    (
        _index(("created_at", -1), ("_id", -1)),
        _index(("role", 1), ("created_at", -1), ("_id", -1)),
        _index(("status", 1), ("created_at", -1), ("_id", -1)),
        _index(("status", 1), ("username_folded", 1), ("_id", 1)),
        _index(("status", 1), ("name_folded", 1), ("_id", 1)),
    ),
)

# `_id` is `email:<normalised>` or `username:<normalised>`. A unique index may not be hashed, but equal values hash
# to one shard, so the `_id` index of that shard makes the value unique in the whole cluster.
USER_CLAIMS = Collection(
    "user_claims", BY_ID, document({"_id": text(300, 1), "user_id": OBJECT_ID, "created_at": DATE})
)

TASKS = Collection(
    "tasks",
    BY_OWNER,
    document(
        {
            "_id": OBJECT_ID,
            "owner_id": OBJECT_ID,
            "title": text(200, 1),
            "description": text(10_000),
            "status": one_of(*TASK_STATUSES),
            "priority": integer(1, 5),
            "position": nullable({"bsonType": ["int", "long", "double"]}),
            "due_at": nullable(DATE),
            "assignee_id": nullable(OBJECT_ID),
            "project_id": nullable(OBJECT_ID),
            "tags": array(text(50, 1), 20),
            "completed_at": nullable(DATE),
            **STAMPS,
        },
        # "2026-01", from `created_at`: what reports by month group on; where it is missing, they use `created_at`.
        {"created_month": text(7, 7), **MARKS},
    ),
    (
        _index(("owner_id", 1), ("status", 1), ("_id", 1)),
        _index(("owner_id", 1), ("status", 1), ("due_at", 1), ("_id", 1)),
        _index(("owner_id", 1), ("status", 1), ("priority", 1), ("_id", 1)),
        _index(("assignee_id", 1), ("status", 1), ("due_at", 1), ("_id", 1)),
        _index(("project_id", 1), ("status", 1), ("due_at", 1), ("_id", 1)),
        _index(("status", 1), ("due_at", 1), ("_id", 1)),
    ),
)

PROJECTS = Collection(
    "projects",
    BY_ID,
    document(
        {
            "_id": OBJECT_ID,
            "owner_id": OBJECT_ID,
            "name": text(200, 1),
            "description": text(10_000),
            "member_ids": array(OBJECT_ID, 500),
            "status": one_of(*PROJECT_STATUSES),
            **STAMPS,
        },
        MARKS,
    ),
    # The status stands in each, so that lists do not read over archived ones; a list without one names both.
    (
        _index(("owner_id", 1), ("status", 1), ("_id", 1)),
        _index(("member_ids", 1), ("status", 1), ("_id", 1)),
        _index(("status", 1), ("_id", 1)),
    ),
)

EVENTS = Collection(
    "events",
    BY_OWNER,
    document(
        {
            "_id": OBJECT_ID,
            "owner_id": OBJECT_ID,
            "title": text(200),
            "starts_at": DATE,
            "ends_at": nullable(DATE),
            "venue": text(200),
            "address": text(500),
            **STAMPS,
        },
        MARK,
    ),
    (_index(("owner_id", 1), ("starts_at", 1), ("_id", 1)), _index(("starts_at", 1), ("_id", 1))),
)

# One per login. `_id` is the `sid` of its access tokens; the refresh secret is stored hashed only.
SESSIONS = Collection(
    "sessions",
    BY_ID,
    document(
        {
            "_id": text(64, 16),
            "user_id": OBJECT_ID,
            "secret_hash": text(128, 16),
            "previous_hash": nullable(text(128, 16)),
            "rotated_at": DATE,
            "created_at": DATE,
            "last_used_at": DATE,
            "expires_at": DATE,
            "absolute_expires_at": DATE,
            "revoked_at": nullable(DATE),
        },
        {"revoked_reason": nullable(text(50)), "user_agent": text(300), "address": text(64)},
    ),
    (_index(("user_id", 1), ("created_at", -1)), Index((("expires_at", 1),), expire_after_s=0)),
)

# One for each letter that asks for an answer. `_id` is a hash of its token.
EMAIL_TOKENS = Collection(
    "email_tokens",
    BY_ID,
    document(
        {
            "_id": text(128, 16),
            "purpose": one_of("reset_password", "verify_email"),
            "user_id": OBJECT_ID,
            "email": text(254, 3),
            "token_version": integer(1),
            "created_at": DATE,
            "expires_at": DATE,
        }
    ),
    (_index(("user_id", 1)), Index((("expires_at", 1),), expire_after_s=0)),
)

# A one-use key to the stream of changes. `_id` is its hash.
TICKETS = Collection(
    "tickets",
    BY_ID,
    document(
        {
            "_id": text(128, 16),
            "session_id": text(64, 16),
            "user_id": OBJECT_ID,
            "token_expires_at": integer(0),
            "expires_at": DATE,
        }
    ),
    (Index((("expires_at", 1),), expire_after_s=0),),
)

# Work to be done after a transaction: letters to send, the data of a deleted user to remove.
OUTBOX = Collection(
    "outbox",
    BY_ID,
    document(
        {
            "_id": OBJECT_ID,
            "kind": text(50, 1),
            "payload": OBJECT,
            "state": one_of(*WORK_STATES),
            "attempts": integer(0),
            "next_attempt_at": DATE,
            "lease_id": nullable(text(64)),
            "lease_until": nullable(DATE),
            "created_at": DATE,
            "done_at": nullable(DATE),
            "last_error": nullable(text(500)),
        }
    ),
    (_index(("state", 1), ("next_attempt_at", 1)), Index((("done_at", 1),), expire_after_s=30 * DAY_S)),
)

REMINDERS = Collection(
    "reminders",
    BY_OWNER,
    document(
        {
            "_id": OBJECT_ID,
            "owner_id": OBJECT_ID,
            "task_owner_id": OBJECT_ID,
            "task_id": OBJECT_ID,
            "schedule": OBJECT,
            "state": one_of(*WORK_STATES),
            "next_run_at": nullable(DATE),
            "lease_id": nullable(text(64)),
            "lease_until": nullable(DATE),
            "last_run_at": nullable(DATE),
            "runs": integer(0),
            **STAMPS,
        },
        MARK,
    ),
    (
        _index(("state", 1), ("next_run_at", 1)),
        _index(("owner_id", 1), ("state", 1), ("next_run_at", 1), ("_id", 1)),
        # Of a task all of them, which go with it, and those of one person.
        _index(("task_owner_id", 1), ("task_id", 1), ("owner_id", 1), ("_id", 1)),
    ),
)

# `_id` is a hash of the caller and the Idempotency-Key.
IDEMPOTENCY = Collection(
    "idempotency",
    BY_ID,
    document(
        {
            "_id": text(128, 16),
            "request_hash": text(128, 16),
            "status": integer(200, 299),
            "headers": OBJECT,
            "body": {"bsonType": "binData"},
            "created_at": DATE,
        }
    ),
    (Index((("created_at", 1),), expire_after_s=DAY_S),),
)

LOGIN_ATTEMPTS = Collection(
    "login_attempts",
    BY_ID,
    document(
        {
            "_id": text(300, 1),
            "count": integer(0),
            "refused": BOOL,
            "locks": integer(0),
            "locked_until": nullable(DATE),
            "expires_at": DATE,
        }
    ),
    (Index((("expires_at", 1),), expire_after_s=0),),
)

# A CSV file on its way to becoming tasks: how far it is, and what was wrong with which row.
IMPORTS = Collection(
    "imports",
    BY_ID,
    document(
        {
            "_id": OBJECT_ID,
            "owner_id": OBJECT_ID,
            "request_id": nullable(text(200)),
            "state": one_of(*IMPORT_STATES),
            "detail": nullable(text(500)),
            "columns": array(text(50, 1), 100),
            "chunks": integer(1),
            "next_chunk": integer(0),
            "rows_total": integer(1),
            "rows_done": integer(0),
            "rows_failed": integer(0),
            "errors": array(OBJECT, MAX_IMPORT_ERRORS),
            "errors_total": integer(0),
            "created_at": DATE,
            "updated_at": DATE,
            "finished_at": nullable(DATE),
        }
    ),
    (_index(("owner_id", 1), ("_id", 1)), Index((("created_at", 1),), expire_after_s=30 * DAY_S)),
)

# The rows of such a file, cut to be written and read one by one. All of an import's lie on one shard. Those that no
# import belongs to go by themselves.
IMPORT_CHUNKS = Collection(
    "import_chunks",
    (("import_id", "hashed"),),
    document(
        {
            "_id": OBJECT_ID,
            "import_id": OBJECT_ID,
            "number": integer(0),
            "rows": array(OBJECT, MAX_CHUNK_ROWS),
            "created_at": DATE,
        }
    ),
    (_index(("import_id", 1), ("number", 1)), Index((("created_at", 1),), expire_after_s=7 * DAY_S)),
)

AUDIT = Collection(
    "audit",
    BY_ID,
    document(
        {
            # Of a version: made from what it is a version of, so that it is there once.
            "_id": OBJECT_ID,
            "at": DATE,
            "actor_id": nullable(OBJECT_ID),
            "action": text(50, 1),
            "resource": text(50, 1),
            "resource_id": nullable(OBJECT_ID),
        },
        {
            "before": OBJECT,
            "after": OBJECT,
            "request_id": nullable(text(200)),
            "ok": BOOL,
            "detail": OBJECT,
        },
    ),
    (
        _index(("at", -1), ("_id", -1)),
        _index(("actor_id", 1), ("at", -1), ("_id", -1)),
        _index(("action", 1), ("at", -1), ("_id", -1)),
        _index(("resource", 1), ("resource_id", 1), ("at", -1), ("_id", -1)),
        Index((("at", 1),), expire_after_s=400 * DAY_S),
    ),
)

# How far each reader of the change stream has come, and which worker reads now.
FOLLOWERS = Collection(
    "followers",
    BY_ID,
    document(
        {
            "_id": text(50, 1),
            "resume_token": nullable(OBJECT),
            "start_at": {"bsonType": "timestamp"},
            "seen_at": nullable(DATE),
            "lease_id": nullable(text(64)),
            "lease_until": nullable(DATE),
        }
    ),
)

# What has been applied. One small collection, written by one migration at a time: not sharded.
MIGRATIONS = Collection("migrations", (), document({"_id": ANYTHING}, closed=False))

COLLECTIONS: tuple[Collection, ...] = (
    USERS,
    USER_CLAIMS,
    TASKS,
    PROJECTS,
    EVENTS,
    SESSIONS,
    EMAIL_TOKENS,
    TICKETS,
    OUTBOX,
    REMINDERS,
    IDEMPOTENCY,
    LOGIN_ATTEMPTS,
    IMPORTS,
    IMPORT_CHUNKS,
    AUDIT,
    FOLLOWERS,
    MIGRATIONS,
)

BY_NAME = {collection.name: collection for collection in COLLECTIONS}

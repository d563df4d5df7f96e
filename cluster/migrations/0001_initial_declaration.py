"""Initial declaration."""

from cluster.migrate.db import Db
from cluster.operations import CreateCollection, CreateIndex, DropCollection, DropIndex


def upgrade(db: Db) -> None:
    """Written from what differed from the declaration."""
    db.apply(
        CreateCollection(
            "users",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": [
                        "_id",
                        "username",
                        "email",
                        "name",
                        "username_folded",
                        "name_folded",
                        "role",
                        "status",
                        "time_zone",
                        "preferences",
                        "password_hash",
                        "token_version",
                        "last_login_at",
                        "email_verified_at",
                        "created_at",
                        "updated_at",
                        "updated_by",
                        "request_id",
                        "version",
                    ],
                    "properties": {
                        "_id": {"bsonType": "objectId"},
                        "username": {"bsonType": "string", "minLength": 3, "maxLength": 32},
                        "email": {"bsonType": "string", "minLength": 3, "maxLength": 254},
                        "name": {"bsonType": "string", "minLength": 0, "maxLength": 200},
                        "username_folded": {"bsonType": "string", "minLength": 1, "maxLength": 100},
                        "name_folded": {"bsonType": "string", "minLength": 0, "maxLength": 100},
                        "role": {"enum": ["member", "admin"]},
                        "status": {"enum": ["active", "disabled", "deleting"]},
                        "time_zone": {"bsonType": "string", "minLength": 0, "maxLength": 64},
                        "preferences": {"bsonType": "object"},
                        "password_hash": {"bsonType": "string", "minLength": 1, "maxLength": 512},
                        "token_version": {"bsonType": ["int", "long"], "minimum": 1},
                        "last_login_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "email_verified_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "created_at": {"bsonType": "date"},
                        "updated_at": {"bsonType": "date"},
                        "updated_by": {"anyOf": [{"bsonType": "objectId"}, {"bsonType": "null"}]},
                        "request_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 200}, {"bsonType": "null"}],
                        },
                        "version": {"bsonType": ["int", "long"], "minimum": 1},
                        "last_change": {"bsonType": "string", "minLength": 0, "maxLength": 300},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("users", {"key": {"created_at": -1, "_id": -1}, "name": "created_at_-1__id_-1"}))
    db.apply(
        CreateIndex(
            "users",
            {"key": {"role": 1, "created_at": -1, "_id": -1}, "name": "role_1_created_at_-1__id_-1"},
        )
    )
    db.apply(
        CreateIndex(
            "users",
            {"key": {"status": 1, "created_at": -1, "_id": -1}, "name": "status_1_created_at_-1__id_-1"},
        )
    )
    db.apply(
        CreateIndex(
            "users",
            {"key": {"status": 1, "username_folded": 1, "_id": 1}, "name": "status_1_username_folded_1__id_1"},
        )
    )
    db.apply(
        CreateIndex(
            "users",
            {"key": {"status": 1, "name_folded": 1, "_id": 1}, "name": "status_1_name_folded_1__id_1"},
        )
    )
    db.apply(
        CreateCollection(
            "user_claims",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": ["_id", "user_id", "created_at"],
                    "properties": {
                        "_id": {"bsonType": "string", "minLength": 1, "maxLength": 300},
                        "user_id": {"bsonType": "objectId"},
                        "created_at": {"bsonType": "date"},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(
        CreateCollection(
            "tasks",
            {"owner_id": "hashed", "_id": 1},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": [
                        "_id",
                        "owner_id",
                        "title",
                        "description",
                        "status",
                        "priority",
                        "position",
                        "due_at",
                        "assignee_id",
                        "project_id",
                        "tags",
                        "completed_at",
                        "created_at",
                        "updated_at",
                        "updated_by",
                        "request_id",
                        "version",
                    ],
                    "properties": {
                        "_id": {"bsonType": "objectId"},
                        "owner_id": {"bsonType": "objectId"},
                        "title": {"bsonType": "string", "minLength": 1, "maxLength": 200},
                        "description": {"bsonType": "string", "minLength": 0, "maxLength": 10000},
                        "status": {"enum": ["pending", "in_progress", "done", "cancelled"]},
                        "priority": {"bsonType": ["int", "long"], "minimum": 1, "maximum": 5},
                        "position": {"anyOf": [{"bsonType": ["int", "long", "double"]}, {"bsonType": "null"}]},
                        "due_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "assignee_id": {"anyOf": [{"bsonType": "objectId"}, {"bsonType": "null"}]},
                        "project_id": {"anyOf": [{"bsonType": "objectId"}, {"bsonType": "null"}]},
                        "tags": {
                            "bsonType": "array",
                            "items": {"bsonType": "string", "minLength": 1, "maxLength": 50},
                            "maxItems": 20,
                        },
                        "completed_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "created_at": {"bsonType": "date"},
                        "updated_at": {"bsonType": "date"},
                        "updated_by": {"anyOf": [{"bsonType": "objectId"}, {"bsonType": "null"}]},
                        "request_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 200}, {"bsonType": "null"}],
                        },
                        "version": {"bsonType": ["int", "long"], "minimum": 1},
                        "last_change": {"bsonType": "string", "minLength": 0, "maxLength": 300},
                        "left": {"bsonType": "string", "minLength": 0, "maxLength": 100},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("tasks", {"key": {"owner_id": 1, "status": 1, "_id": 1}, "name": "owner_id_1_status_1__id_1"}))
    db.apply(
        CreateIndex(
            "tasks",
            {"key": {"owner_id": 1, "status": 1, "due_at": 1, "_id": 1}, "name": "owner_id_1_status_1_due_at_1__id_1"},
        )
    )
    db.apply(
        CreateIndex(
            "tasks",
            {
                "key": {"owner_id": 1, "status": 1, "priority": 1, "_id": 1},
                "name": "owner_id_1_status_1_priority_1__id_1",
            },
        )
    )
    db.apply(
        CreateIndex(
            "tasks",
            {
                "key": {"assignee_id": 1, "status": 1, "due_at": 1, "_id": 1},
                "name": "assignee_id_1_status_1_due_at_1__id_1",
            },
        )
    )
    db.apply(
        CreateIndex(
            "tasks",
            {
                "key": {"project_id": 1, "status": 1, "due_at": 1, "_id": 1},
                "name": "project_id_1_status_1_due_at_1__id_1",
            },
        )
    )
    db.apply(CreateIndex("tasks", {"key": {"status": 1, "due_at": 1, "_id": 1}, "name": "status_1_due_at_1__id_1"}))
    db.apply(
        CreateCollection(
            "projects",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": [
                        "_id",
                        "owner_id",
                        "name",
                        "description",
                        "member_ids",
                        "status",
                        "created_at",
                        "updated_at",
                        "updated_by",
                        "request_id",
                        "version",
                    ],
                    "properties": {
                        "_id": {"bsonType": "objectId"},
                        "owner_id": {"bsonType": "objectId"},
                        "name": {"bsonType": "string", "minLength": 1, "maxLength": 200},
                        "description": {"bsonType": "string", "minLength": 0, "maxLength": 10000},
                        "member_ids": {"bsonType": "array", "items": {"bsonType": "objectId"}, "maxItems": 500},
                        "status": {"enum": ["active", "archived", "deleting"]},
                        "created_at": {"bsonType": "date"},
                        "updated_at": {"bsonType": "date"},
                        "updated_by": {"anyOf": [{"bsonType": "objectId"}, {"bsonType": "null"}]},
                        "request_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 200}, {"bsonType": "null"}],
                        },
                        "version": {"bsonType": ["int", "long"], "minimum": 1},
                        "last_change": {"bsonType": "string", "minLength": 0, "maxLength": 300},
                        "left": {"bsonType": "string", "minLength": 0, "maxLength": 100},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(
        CreateIndex(
            "projects",
            {"key": {"owner_id": 1, "status": 1, "_id": 1}, "name": "owner_id_1_status_1__id_1"},
        )
    )
    db.apply(
        CreateIndex(
            "projects",
            {"key": {"member_ids": 1, "status": 1, "_id": 1}, "name": "member_ids_1_status_1__id_1"},
        )
    )
    db.apply(CreateIndex("projects", {"key": {"status": 1, "_id": 1}, "name": "status_1__id_1"}))
    db.apply(
        CreateCollection(
            "events",
            {"owner_id": "hashed", "_id": 1},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": [
                        "_id",
                        "owner_id",
                        "title",
                        "starts_at",
                        "ends_at",
                        "venue",
                        "address",
                        "created_at",
                        "updated_at",
                        "updated_by",
                        "request_id",
                        "version",
                    ],
                    "properties": {
                        "_id": {"bsonType": "objectId"},
                        "owner_id": {"bsonType": "objectId"},
                        "title": {"bsonType": "string", "minLength": 0, "maxLength": 200},
                        "starts_at": {"bsonType": "date"},
                        "ends_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "venue": {"bsonType": "string", "minLength": 0, "maxLength": 200},
                        "address": {"bsonType": "string", "minLength": 0, "maxLength": 500},
                        "created_at": {"bsonType": "date"},
                        "updated_at": {"bsonType": "date"},
                        "updated_by": {"anyOf": [{"bsonType": "objectId"}, {"bsonType": "null"}]},
                        "request_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 200}, {"bsonType": "null"}],
                        },
                        "version": {"bsonType": ["int", "long"], "minimum": 1},
                        "last_change": {"bsonType": "string", "minLength": 0, "maxLength": 300},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(
        CreateIndex(
            "events",
            {"key": {"owner_id": 1, "starts_at": 1, "_id": 1}, "name": "owner_id_1_starts_at_1__id_1"},
        )
    )
    db.apply(CreateIndex("events", {"key": {"starts_at": 1, "_id": 1}, "name": "starts_at_1__id_1"}))
    db.apply(
        CreateCollection(
            "sessions",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": [
                        "_id",
                        "user_id",
                        "secret_hash",
                        "previous_hash",
                        "rotated_at",
                        "created_at",
                        "last_used_at",
                        "expires_at",
                        "absolute_expires_at",
                        "revoked_at",
                    ],
                    "properties": {
                        "_id": {"bsonType": "string", "minLength": 16, "maxLength": 64},
                        "user_id": {"bsonType": "objectId"},
                        "secret_hash": {"bsonType": "string", "minLength": 16, "maxLength": 128},
                        "previous_hash": {
                            "anyOf": [{"bsonType": "string", "minLength": 16, "maxLength": 128}, {"bsonType": "null"}],
                        },
                        "rotated_at": {"bsonType": "date"},
                        "created_at": {"bsonType": "date"},
                        "last_used_at": {"bsonType": "date"},
                        "expires_at": {"bsonType": "date"},
                        "absolute_expires_at": {"bsonType": "date"},
                        "revoked_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "revoked_reason": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 50}, {"bsonType": "null"}],
                        },
                        "user_agent": {"bsonType": "string", "minLength": 0, "maxLength": 300},
                        "address": {"bsonType": "string", "minLength": 0, "maxLength": 64},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("sessions", {"key": {"user_id": 1, "created_at": -1}, "name": "user_id_1_created_at_-1"}))
    db.apply(CreateIndex("sessions", {"key": {"expires_at": 1}, "name": "expires_at_1", "expireAfterSeconds": 0}))
    db.apply(
        CreateCollection(
            "email_tokens",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": ["_id", "purpose", "user_id", "email", "token_version", "created_at", "expires_at"],
                    "properties": {
                        "_id": {"bsonType": "string", "minLength": 16, "maxLength": 128},
                        "purpose": {"enum": ["reset_password", "verify_email"]},
                        "user_id": {"bsonType": "objectId"},
                        "email": {"bsonType": "string", "minLength": 3, "maxLength": 254},
                        "token_version": {"bsonType": ["int", "long"], "minimum": 1},
                        "created_at": {"bsonType": "date"},
                        "expires_at": {"bsonType": "date"},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("email_tokens", {"key": {"user_id": 1}, "name": "user_id_1"}))
    db.apply(CreateIndex("email_tokens", {"key": {"expires_at": 1}, "name": "expires_at_1", "expireAfterSeconds": 0}))
    db.apply(
        CreateCollection(
            "tickets",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": ["_id", "session_id", "user_id", "token_expires_at", "expires_at"],
                    "properties": {
                        "_id": {"bsonType": "string", "minLength": 16, "maxLength": 128},
                        "session_id": {"bsonType": "string", "minLength": 16, "maxLength": 64},
                        "user_id": {"bsonType": "objectId"},
                        "token_expires_at": {"bsonType": ["int", "long"], "minimum": 0},
                        "expires_at": {"bsonType": "date"},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("tickets", {"key": {"expires_at": 1}, "name": "expires_at_1", "expireAfterSeconds": 0}))
    db.apply(
        CreateCollection(
            "outbox",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": [
                        "_id",
                        "kind",
                        "payload",
                        "state",
                        "attempts",
                        "next_attempt_at",
                        "lease_id",
                        "lease_until",
                        "created_at",
                        "done_at",
                        "last_error",
                    ],
                    "properties": {
                        "_id": {"bsonType": "objectId"},
                        "kind": {"bsonType": "string", "minLength": 1, "maxLength": 50},
                        "payload": {"bsonType": "object"},
                        "state": {"enum": ["waiting", "leased", "done", "failed"]},
                        "attempts": {"bsonType": ["int", "long"], "minimum": 0},
                        "next_attempt_at": {"bsonType": "date"},
                        "lease_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 64}, {"bsonType": "null"}],
                        },
                        "lease_until": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "created_at": {"bsonType": "date"},
                        "done_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "last_error": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 500}, {"bsonType": "null"}],
                        },
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("outbox", {"key": {"state": 1, "next_attempt_at": 1}, "name": "state_1_next_attempt_at_1"}))
    db.apply(CreateIndex("outbox", {"key": {"done_at": 1}, "name": "done_at_1", "expireAfterSeconds": 2592000}))
    db.apply(
        CreateCollection(
            "reminders",
            {"owner_id": "hashed", "_id": 1},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": [
                        "_id",
                        "owner_id",
                        "task_owner_id",
                        "task_id",
                        "schedule",
                        "state",
                        "next_run_at",
                        "lease_id",
                        "lease_until",
                        "last_run_at",
                        "runs",
                        "created_at",
                        "updated_at",
                        "updated_by",
                        "request_id",
                        "version",
                    ],
                    "properties": {
                        "_id": {"bsonType": "objectId"},
                        "owner_id": {"bsonType": "objectId"},
                        "task_owner_id": {"bsonType": "objectId"},
                        "task_id": {"bsonType": "objectId"},
                        "schedule": {"bsonType": "object"},
                        "state": {"enum": ["waiting", "leased", "done", "failed"]},
                        "next_run_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "lease_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 64}, {"bsonType": "null"}],
                        },
                        "lease_until": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "last_run_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "runs": {"bsonType": ["int", "long"], "minimum": 0},
                        "created_at": {"bsonType": "date"},
                        "updated_at": {"bsonType": "date"},
                        "updated_by": {"anyOf": [{"bsonType": "objectId"}, {"bsonType": "null"}]},
                        "request_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 200}, {"bsonType": "null"}],
                        },
                        "version": {"bsonType": ["int", "long"], "minimum": 1},
                        "last_change": {"bsonType": "string", "minLength": 0, "maxLength": 300},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("reminders", {"key": {"state": 1, "next_run_at": 1}, "name": "state_1_next_run_at_1"}))
    db.apply(
        CreateIndex(
            "reminders",
            {
                "key": {"owner_id": 1, "state": 1, "next_run_at": 1, "_id": 1},
                "name": "owner_id_1_state_1_next_run_at_1__id_1",
            },
        )
    )
    db.apply(
        CreateIndex(
            "reminders",
            {
                "key": {"task_owner_id": 1, "task_id": 1, "owner_id": 1, "_id": 1},
                "name": "task_owner_id_1_task_id_1_owner_id_1__id_1",
            },
        )
    )
    db.apply(
        CreateCollection(
            "idempotency",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": ["_id", "request_hash", "status", "headers", "body", "created_at"],
                    "properties": {
                        "_id": {"bsonType": "string", "minLength": 16, "maxLength": 128},
                        "request_hash": {"bsonType": "string", "minLength": 16, "maxLength": 128},
                        "status": {"bsonType": ["int", "long"], "minimum": 200, "maximum": 299},
                        "headers": {"bsonType": "object"},
                        "body": {"bsonType": "binData"},
                        "created_at": {"bsonType": "date"},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(
        CreateIndex(
            "idempotency",
            {"key": {"created_at": 1}, "name": "created_at_1", "expireAfterSeconds": 86400},
        )
    )
    db.apply(
        CreateCollection(
            "login_attempts",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": ["_id", "count", "refused", "locks", "locked_until", "expires_at"],
                    "properties": {
                        "_id": {"bsonType": "string", "minLength": 1, "maxLength": 300},
                        "count": {"bsonType": ["int", "long"], "minimum": 0},
                        "refused": {"bsonType": "bool"},
                        "locks": {"bsonType": ["int", "long"], "minimum": 0},
                        "locked_until": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "expires_at": {"bsonType": "date"},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("login_attempts", {"key": {"expires_at": 1}, "name": "expires_at_1", "expireAfterSeconds": 0}))
    db.apply(
        CreateCollection(
            "imports",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": [
                        "_id",
                        "owner_id",
                        "request_id",
                        "state",
                        "detail",
                        "columns",
                        "chunks",
                        "next_chunk",
                        "rows_total",
                        "rows_done",
                        "rows_failed",
                        "errors",
                        "errors_total",
                        "created_at",
                        "updated_at",
                        "finished_at",
                    ],
                    "properties": {
                        "_id": {"bsonType": "objectId"},
                        "owner_id": {"bsonType": "objectId"},
                        "request_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 200}, {"bsonType": "null"}],
                        },
                        "state": {"enum": ["waiting", "running", "done", "failed"]},
                        "detail": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 500}, {"bsonType": "null"}],
                        },
                        "columns": {
                            "bsonType": "array",
                            "items": {"bsonType": "string", "minLength": 1, "maxLength": 50},
                            "maxItems": 100,
                        },
                        "chunks": {"bsonType": ["int", "long"], "minimum": 1},
                        "next_chunk": {"bsonType": ["int", "long"], "minimum": 0},
                        "rows_total": {"bsonType": ["int", "long"], "minimum": 1},
                        "rows_done": {"bsonType": ["int", "long"], "minimum": 0},
                        "rows_failed": {"bsonType": ["int", "long"], "minimum": 0},
                        "errors": {"bsonType": "array", "items": {"bsonType": "object"}, "maxItems": 1000},
                        "errors_total": {"bsonType": ["int", "long"], "minimum": 0},
                        "created_at": {"bsonType": "date"},
                        "updated_at": {"bsonType": "date"},
                        "finished_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("imports", {"key": {"owner_id": 1, "_id": 1}, "name": "owner_id_1__id_1"}))
    db.apply(CreateIndex("imports", {"key": {"created_at": 1}, "name": "created_at_1", "expireAfterSeconds": 2592000}))
    db.apply(
        CreateCollection(
            "import_chunks",
            {"import_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": ["_id", "import_id", "number", "rows", "created_at"],
                    "properties": {
                        "_id": {"bsonType": "objectId"},
                        "import_id": {"bsonType": "objectId"},
                        "number": {"bsonType": ["int", "long"], "minimum": 0},
                        "rows": {"bsonType": "array", "items": {"bsonType": "object"}, "maxItems": 500},
                        "created_at": {"bsonType": "date"},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("import_chunks", {"key": {"import_id": 1, "number": 1}, "name": "import_id_1_number_1"}))
    db.apply(
        CreateIndex(
            "import_chunks",
            {"key": {"created_at": 1}, "name": "created_at_1", "expireAfterSeconds": 604800},
        )
    )
    db.apply(
        CreateCollection(
            "audit",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": ["_id", "at", "actor_id", "action", "resource", "resource_id"],
                    "properties": {
                        "_id": {"bsonType": "objectId"},
                        "at": {"bsonType": "date"},
                        "actor_id": {"anyOf": [{"bsonType": "objectId"}, {"bsonType": "null"}]},
                        "action": {"bsonType": "string", "minLength": 1, "maxLength": 50},
                        "resource": {"bsonType": "string", "minLength": 1, "maxLength": 50},
                        "resource_id": {"anyOf": [{"bsonType": "objectId"}, {"bsonType": "null"}]},
                        "before": {"bsonType": "object"},
                        "after": {"bsonType": "object"},
                        "request_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 200}, {"bsonType": "null"}],
                        },
                        "ok": {"bsonType": "bool"},
                        "detail": {"bsonType": "object"},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.apply(CreateIndex("audit", {"key": {"at": -1, "_id": -1}, "name": "at_-1__id_-1"}))
    db.apply(CreateIndex("audit", {"key": {"actor_id": 1, "at": -1, "_id": -1}, "name": "actor_id_1_at_-1__id_-1"}))
    db.apply(CreateIndex("audit", {"key": {"action": 1, "at": -1, "_id": -1}, "name": "action_1_at_-1__id_-1"}))
    db.apply(
        CreateIndex(
            "audit",
            {
                "key": {"resource": 1, "resource_id": 1, "at": -1, "_id": -1},
                "name": "resource_1_resource_id_1_at_-1__id_-1",
            },
        )
    )
    db.apply(CreateIndex("audit", {"key": {"at": 1}, "name": "at_1", "expireAfterSeconds": 34560000}))
    db.apply(
        CreateCollection(
            "followers",
            {"_id": "hashed"},
            {
                "$jsonSchema": {
                    "bsonType": "object",
                    "required": ["_id", "resume_token", "start_at", "seen_at", "lease_id", "lease_until"],
                    "properties": {
                        "_id": {"bsonType": "string", "minLength": 1, "maxLength": 50},
                        "resume_token": {"anyOf": [{"bsonType": "object"}, {"bsonType": "null"}]},
                        "start_at": {"bsonType": "timestamp"},
                        "seen_at": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                        "lease_id": {
                            "anyOf": [{"bsonType": "string", "minLength": 0, "maxLength": 64}, {"bsonType": "null"}],
                        },
                        "lease_until": {"anyOf": [{"bsonType": "date"}, {"bsonType": "null"}]},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )


def downgrade(db: Db) -> None:
    """The way back, in the opposite order."""
    db.apply(DropCollection("followers"))
    db.apply(DropIndex("audit", {"key": {"at": 1}, "name": "at_1", "expireAfterSeconds": 34560000}))
    db.apply(
        DropIndex(
            "audit",
            {
                "key": {"resource": 1, "resource_id": 1, "at": -1, "_id": -1},
                "name": "resource_1_resource_id_1_at_-1__id_-1",
            },
        )
    )
    db.apply(DropIndex("audit", {"key": {"action": 1, "at": -1, "_id": -1}, "name": "action_1_at_-1__id_-1"}))
    db.apply(DropIndex("audit", {"key": {"actor_id": 1, "at": -1, "_id": -1}, "name": "actor_id_1_at_-1__id_-1"}))
    db.apply(DropIndex("audit", {"key": {"at": -1, "_id": -1}, "name": "at_-1__id_-1"}))
    db.apply(DropCollection("audit"))
    db.apply(
        DropIndex(
            "import_chunks",
            {"key": {"created_at": 1}, "name": "created_at_1", "expireAfterSeconds": 604800},
        )
    )
    db.apply(DropIndex("import_chunks", {"key": {"import_id": 1, "number": 1}, "name": "import_id_1_number_1"}))
    db.apply(DropCollection("import_chunks"))
    db.apply(DropIndex("imports", {"key": {"created_at": 1}, "name": "created_at_1", "expireAfterSeconds": 2592000}))
    db.apply(DropIndex("imports", {"key": {"owner_id": 1, "_id": 1}, "name": "owner_id_1__id_1"}))
    db.apply(DropCollection("imports"))
    db.apply(DropIndex("login_attempts", {"key": {"expires_at": 1}, "name": "expires_at_1", "expireAfterSeconds": 0}))
    db.apply(DropCollection("login_attempts"))
    db.apply(DropIndex("idempotency", {"key": {"created_at": 1}, "name": "created_at_1", "expireAfterSeconds": 86400}))
    db.apply(DropCollection("idempotency"))
    db.apply(
        DropIndex(
            "reminders",
            {
                "key": {"task_owner_id": 1, "task_id": 1, "owner_id": 1, "_id": 1},
                "name": "task_owner_id_1_task_id_1_owner_id_1__id_1",
            },
        )
    )
    db.apply(
        DropIndex(
            "reminders",
            {
                "key": {"owner_id": 1, "state": 1, "next_run_at": 1, "_id": 1},
                "name": "owner_id_1_state_1_next_run_at_1__id_1",
            },
        )
    )
    db.apply(DropIndex("reminders", {"key": {"state": 1, "next_run_at": 1}, "name": "state_1_next_run_at_1"}))
    db.apply(DropCollection("reminders"))
    db.apply(DropIndex("outbox", {"key": {"done_at": 1}, "name": "done_at_1", "expireAfterSeconds": 2592000}))
    db.apply(DropIndex("outbox", {"key": {"state": 1, "next_attempt_at": 1}, "name": "state_1_next_attempt_at_1"}))
    db.apply(DropCollection("outbox"))
    db.apply(DropIndex("tickets", {"key": {"expires_at": 1}, "name": "expires_at_1", "expireAfterSeconds": 0}))
    db.apply(DropCollection("tickets"))
    db.apply(DropIndex("email_tokens", {"key": {"expires_at": 1}, "name": "expires_at_1", "expireAfterSeconds": 0}))
    db.apply(DropIndex("email_tokens", {"key": {"user_id": 1}, "name": "user_id_1"}))
    db.apply(DropCollection("email_tokens"))
    db.apply(DropIndex("sessions", {"key": {"expires_at": 1}, "name": "expires_at_1", "expireAfterSeconds": 0}))
    db.apply(DropIndex("sessions", {"key": {"user_id": 1, "created_at": -1}, "name": "user_id_1_created_at_-1"}))
    db.apply(DropCollection("sessions"))
    db.apply(DropIndex("events", {"key": {"starts_at": 1, "_id": 1}, "name": "starts_at_1__id_1"}))
    db.apply(
        DropIndex(
            "events",
            {"key": {"owner_id": 1, "starts_at": 1, "_id": 1}, "name": "owner_id_1_starts_at_1__id_1"},
        )
    )
    db.apply(DropCollection("events"))
    db.apply(DropIndex("projects", {"key": {"status": 1, "_id": 1}, "name": "status_1__id_1"}))
    db.apply(
        DropIndex(
            "projects",
            {"key": {"member_ids": 1, "status": 1, "_id": 1}, "name": "member_ids_1_status_1__id_1"},
        )
    )
    db.apply(
        DropIndex(
            "projects",
            {"key": {"owner_id": 1, "status": 1, "_id": 1}, "name": "owner_id_1_status_1__id_1"},
        )
    )
    db.apply(DropCollection("projects"))
    db.apply(DropIndex("tasks", {"key": {"status": 1, "due_at": 1, "_id": 1}, "name": "status_1_due_at_1__id_1"}))
    db.apply(
        DropIndex(
            "tasks",
            {
                "key": {"project_id": 1, "status": 1, "due_at": 1, "_id": 1},
                "name": "project_id_1_status_1_due_at_1__id_1",
            },
        )
    )
    db.apply(
        DropIndex(
            "tasks",
            {
                "key": {"assignee_id": 1, "status": 1, "due_at": 1, "_id": 1},
                "name": "assignee_id_1_status_1_due_at_1__id_1",
            },
        )
    )
    db.apply(
        DropIndex(
            "tasks",
            {
                "key": {"owner_id": 1, "status": 1, "priority": 1, "_id": 1},
                "name": "owner_id_1_status_1_priority_1__id_1",
            },
        )
    )
    db.apply(
        DropIndex(
            "tasks",
            {"key": {"owner_id": 1, "status": 1, "due_at": 1, "_id": 1}, "name": "owner_id_1_status_1_due_at_1__id_1"},
        )
    )
    db.apply(DropIndex("tasks", {"key": {"owner_id": 1, "status": 1, "_id": 1}, "name": "owner_id_1_status_1__id_1"}))
    db.apply(DropCollection("tasks"))
    db.apply(DropCollection("user_claims"))
    db.apply(
        DropIndex(
            "users",
            {"key": {"status": 1, "name_folded": 1, "_id": 1}, "name": "status_1_name_folded_1__id_1"},
        )
    )
    db.apply(
        DropIndex(
            "users",
            {"key": {"status": 1, "username_folded": 1, "_id": 1}, "name": "status_1_username_folded_1__id_1"},
        )
    )
    db.apply(
        DropIndex(
            "users",
            {"key": {"status": 1, "created_at": -1, "_id": -1}, "name": "status_1_created_at_-1__id_-1"},
        )
    )
    db.apply(
        DropIndex(
            "users",
            {"key": {"role": 1, "created_at": -1, "_id": -1}, "name": "role_1_created_at_-1__id_-1"},
        )
    )
    db.apply(DropIndex("users", {"key": {"created_at": -1, "_id": -1}, "name": "created_at_-1__id_-1"}))
    db.apply(DropCollection("users"))

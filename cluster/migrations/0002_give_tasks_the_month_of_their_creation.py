"""Give tasks the month of their creation: `created_month`, e.g. "2026-01".

Reports by month group on it instead of computing it for each task. It follows from `created_at`, which never changes,
so it is never stale; where it is missing (a task that was made since) a report takes it from `created_at`:

    {"$ifNull": ["$created_month", {"$dateToString": {"date": "$created_at", "format": "%Y-%m"}}]}

The API shows neither and needs no change. Writers wait for no step: see `cluster/migrate/batches.py`.
"""

from cluster.migrate.db import Db
from cluster.operations import SetValidator

MONTH = {"$dateToString": {"date": "$created_at", "format": "%Y-%m"}}


def upgrade(db: Db) -> None:
    """The validator admits the field before the first task has it."""
    db.apply(
        SetValidator(
            "tasks",
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
                        "left": {"bsonType": "string", "minLength": 0, "maxLength": 100},
                        "created_month": {"bsonType": "string", "minLength": 7, "maxLength": 7},
                        "last_change": {"bsonType": "string", "minLength": 0, "maxLength": 300},
                    },
                    "additionalProperties": False,
                },
            },
        )
    )
    db.backfill("tasks", "created_month", MONTH)


def downgrade(db: Db) -> None:
    """The field goes before the validator refuses it."""
    db.remove_field("tasks", "created_month")
    db.apply(
        SetValidator(
            "tasks",
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

"""The change stream of all that the API tells of: one over the whole database, so that its order is that of the writes.

It goes to every shard and cannot be explained, so it is no named query. https://www.mongodb.com/docs/manual/changeStreams/
"""

from typing import Any, cast

from bson import Timestamp
from pymongo.change_stream import DatabaseChangeStream
from pymongo.client_session import ClientSession

from ..db import Document
from ..services import services

RESOURCES = ("tasks", "events", "projects", "reminders")
AUDIT = "audit"

# How long the server waits for something new before it answers with nothing.
AWAIT_MS = 1_000

PIPELINE: list[dict[str, Any]] = [
    {
        "$match": {
            "operationType": {"$in": ["insert", "update", "replace"]},
            "$or": [
                {"ns.coll": {"$in": list(RESOURCES)}},
                # Deletions are told by their audit entries, which say who could see what is gone.
                {"ns.coll": AUDIT, "fullDocument.action": {"$regex": r"\.delete$"}},
            ],
        }
    }
]


def open_stream(start: Timestamp) -> DatabaseChangeStream[Document]:
    """What happened at `start` and later; of an update the document as it is when the update is read.

    Raises:
        OperationFailure: 286 and others, the oplogs do not reach back that far.
    """
    return services().connection.database.watch(
        PIPELINE,
        full_document="updateLookup",
        start_at_operation_time=start,
        max_await_time_ms=AWAIT_MS,
        comment="changes.open_stream",
    )


def present_time() -> Timestamp:
    """The cluster's time now: whatever was answered before is earlier."""
    client = services().connection.client
    with client.start_session() as session:
        client.admin.command("ping", session=session)
        return time_of(session)


def time_of(session: ClientSession) -> Timestamp:
    """The cluster's time when it last answered in `session`: what was read there is not of later."""
    return cast(Timestamp, cast(Document, session.cluster_time)["clusterTime"])

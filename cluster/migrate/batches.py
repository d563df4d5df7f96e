"""A change of many documents in small steps: writers wait for none of them, and a stop costs one step.

Each step is repeatable, so that one which was done and not yet noted may be done again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..progress import Bar
from ..wait import rest

Document = Mapping[str, Any]
Save = Callable[[Mapping[str, Any]], None]

# A step of a thousand documents holds each of them for less than a tenth of a second.
BATCH = 1_000
# After each step the servers are the writers' alone for that part of its length.
REST = 0.5


@dataclass(frozen=True)
class Change:
    """Each document that `where` matches is changed by the pipeline `update`; after that it matches no more."""

    where: Document
    update: Sequence[Document]
    batch: int = BATCH


def change_all(collection: Any, change: Change, saved: Mapping[str, Any], save: Save, bar: Bar) -> int:
    """Walks the collection by `_id` from where `saved` left off; `save` notes each step. How many were walked over.

    What is inserted after the start is left to whoever inserts it. A range that moves to another shard meanwhile may
    hide documents from a step, so the walk is repeated until nothing is left.
    """
    state = dict(saved) or _start(collection)
    bar.update(state["done"], state["total"])
    while state["until"] is not None:
        state = _walk(collection, change, state, save, bar)
        left = collection.find_one({**change.where, "_id": {"$lte": state["until"]}}, {"_id": 1})
        if left is None:
            break
        state = {**state, "after": None}
    return int(state["done"])


def _start(collection: Any) -> dict[str, Any]:
    last = collection.find_one({}, {"_id": 1}, sort=[("_id", -1)])
    until = last["_id"] if last else None
    return {"after": None, "until": until, "done": 0, "total": collection.estimated_document_count()}


def _walk(collection: Any, change: Change, state: dict[str, Any], save: Save, bar: Bar) -> dict[str, Any]:
    while True:
        started = time.monotonic()
        after = {} if state["after"] is None else {"$gt": state["after"]}
        page = collection.find({"_id": {**after, "$lte": state["until"]}}, {"_id": 1}).sort("_id", 1)
        ids = [found["_id"] for found in page.limit(change.batch)]
        if not ids:
            return state
        collection.update_many({**change.where, "_id": {"$gte": ids[0], "$lte": ids[-1]}}, list(change.update))
        state = {**state, "after": ids[-1], "done": state["done"] + len(ids)}
        save(state)
        bar.update(state["done"], state["total"])
        rest((time.monotonic() - started) * REST)

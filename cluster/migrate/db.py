"""What a migration is given: the application's database, with what changes a sharded cluster safely."""

from collections.abc import Mapping
from typing import Any

from pymongo.collection import Collection

from ..apply import apply
from ..connections import Client
from ..operations import Operation
from ..progress import Progress
from .batches import BATCH, Change, change_all
from .history import Notes, note
from .lock import Lock


class Db:
    """The database of a running migration; `db["tasks"]` is a collection of pymongo's."""

    def __init__(self, client: Client, database: str, notes: Notes, lock: Lock, name: str, progress: Progress) -> None:
        self._client = client
        self._database = database
        self._notes = notes
        self._lock = lock
        self._name = name
        self._progress = progress
        found = notes.find_one({"_id": name}) or {}
        self._saved: dict[str, Any] = found.get("progress", {})

    def __getitem__(self, collection: str) -> Collection[dict[str, Any]]:
        return self._client[self._database][collection]

    def apply(self, *operations: Operation) -> None:
        """Runs operations in order; one that was done already changes nothing."""
        for operation in operations:
            self._lock.require()
            apply(self._client, self._database, [operation])

    def backfill(self, collection: str, field: str, expression: Any, batch: int = BATCH) -> None:
        """Gives `field` the value of an aggregation expression where it is missing, e.g. `{"$toLower": "$title"}`."""
        change = Change({field: {"$exists": False}}, [{"$set": {field: expression}}], batch)
        self.change_all(f"fill {collection}.{field}", collection, change)

    def remove_field(self, collection: str, field: str, batch: int = BATCH) -> None:
        """Takes `field` from every document."""
        change = Change({field: {"$exists": True}}, [{"$unset": field}], batch)
        self.change_all(f"remove {collection}.{field}", collection, change)

    def change_all(self, title: str, collection: str, change: Change) -> None:
        """Changes every document that matches, in steps; goes on where a run before this one was stopped."""
        saved: Mapping[str, Any] = self._saved.get(_key(title), {})
        with self._progress.bar(title) as bar:
            change_all(self[collection], change, saved, lambda state: self._save(title, state), bar)

    def _save(self, title: str, state: Mapping[str, Any]) -> None:
        note(self._notes, self._lock, self._name, {f"progress.{_key(title)}": state})


def _key(title: str) -> str:
    """A name that may stand in a path of fields."""
    return title.replace(".", "_").replace(" ", "_")

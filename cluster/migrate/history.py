"""What has been applied: one document a migration in `migrations`, written by the owner of the lock only.

{_id: "0002_...", state: "applied", at, by, seconds, checksum, fence, progress: {"<batch>": {after, done, until}}}
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from ..apply import apply
from ..collections import MIGRATIONS
from ..connections import Client
from ..operations import CreateCollection
from .files import Migration, load_migrations
from .lock import LOCK_ID, Lock, LockLost

Notes = Collection[dict[str, Any]]

APPLIED, UPGRADING, DOWNGRADING, REVERTED, PENDING = "applied", "upgrading", "downgrading", "reverted", "pending"


@dataclass(frozen=True)
class Entry:
    """One migration and where it stands; `is_known`: it has a file, `is_changed`: that is not what was applied."""

    name: str
    title: str
    state: str
    at: datetime | None = None
    seconds: float | None = None
    is_known: bool = True
    is_changed: bool = False

    @property
    def is_applied(self) -> bool:
        return self.state == APPLIED

    @property
    def is_reverted(self) -> bool:
        """Whether nothing of it is in the cluster."""
        return self.state in (PENDING, REVERTED)


def notes_of(client: Client, database: str) -> Notes:
    """The collection, made with its validator when it is missing."""
    apply(client, database, [CreateCollection(MIGRATIONS.name, {}, MIGRATIONS.validator)])
    return client[database][MIGRATIONS.name]


def read_entries(client: Client, database: str, migrations: Iterable[Migration]) -> tuple[Entry, ...]:
    """Every migration that has a file or was applied, by number."""
    noted = {note["_id"]: note for note in client[database][MIGRATIONS.name].find({"_id": {"$ne": LOCK_ID}})}
    files = {migration.name: migration for migration in migrations}
    applied = {name for name, note in noted.items() if note.get("state", REVERTED) != REVERTED}
    names = sorted(files.keys() | applied)
    return tuple(_entry(name, files.get(name), noted.get(name, {})) for name in names)


def _entry(name: str, migration: Migration | None, note: Mapping[str, Any]) -> Entry:
    state = note.get("state", PENDING)
    changed = migration is not None and state == APPLIED and note.get("checksum") != migration.checksum
    title = migration.title if migration else ""
    return Entry(name, title, state, note.get("at"), note.get("seconds"), migration is not None, changed)


def note(notes: Notes, lock: Lock, name: str, fields: Mapping[str, Any]) -> None:
    """Notes `fields` of a migration.

    Raises:
        LockLost: a later owner of the lock has noted something already, or the lock has expired.
    """
    lock.require()
    mine = {"_id": name, "$or": [{"fence": {"$exists": False}}, {"fence": {"$lte": lock.fence}}]}
    try:
        notes.update_one(mine, {"$set": {**fields, "fence": lock.fence}}, upsert=True)
    except DuplicateKeyError as error:
        raise LockLost from error


def note_new_cluster(client: Client, database: str) -> None:
    """A cluster that is made from today's declaration needs none of the steps that led to it.

    Called before its first collection is made; one that was made before keeps its history.
    """
    existing = {found["name"] for found in client[database].list_collections(nameOnly=True)}
    if {name for name in existing if not name.startswith("system.")} - {MIGRATIONS.name}:
        return
    notes = notes_of(client, database)
    now = datetime.now(UTC)
    for migration in load_migrations():
        fields = {"state": APPLIED, "at": now, "by": "init", "seconds": 0.0, "checksum": migration.checksum}
        notes.update_one({"_id": migration.name}, {"$setOnInsert": fields}, upsert=True)

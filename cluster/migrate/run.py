"""Applies and reverts migrations in order, under the lock."""

import os
import socket
import time
from datetime import UTC, datetime

from pymongo.errors import PyMongoError

from ..connections import Client, why
from ..errors import ClusterError
from ..progress import Progress
from .db import Db
from .files import Migration
from .history import APPLIED, DOWNGRADING, REVERTED, UPGRADING, Entry, note, notes_of, read_entries
from .lock import LOCK_S, Lock


class Migrator:
    """The migrations of one cluster's database; each method takes the lock for its length."""

    def __init__(
        self,
        client: Client,
        database: str,
        migrations: tuple[Migration, ...],
        progress: Progress,
        lock_s: float = LOCK_S,
    ) -> None:
        self._client = client
        self._database = database
        self._migrations = migrations
        self._progress = progress
        self._lock_s = lock_s

    def entries(self) -> tuple[Entry, ...]:
        """Where every migration stands. Takes no lock and writes nothing."""
        return read_entries(self._client, self._database, self._migrations)

    def upgrade(self, count: int | None = None) -> tuple[str, ...]:
        """Applies the next `count` migrations, or all; what was stopped half-way goes on. Their names.

        Raises:
            ClusterError: one failed, another command migrates, or a later version has migrated this cluster.
        """
        with Lock(notes_of(self._client, self._database), self._lock_s) as lock:
            self._require_known()
            todo = [entry for entry in self.entries() if not entry.is_applied][:count]
            return tuple(self._upgrade(entry, lock) for entry in todo)

    def downgrade(self, count: int = 1) -> tuple[str, ...]:
        """Reverts the last `count` migrations. Their names.

        Raises:
            ClusterError: as `upgrade`.
        """
        with Lock(notes_of(self._client, self._database), self._lock_s) as lock:
            self._require_known()
            todo = [entry for entry in reversed(self.entries()) if not entry.is_reverted][:count]
            return tuple(self._downgrade(entry, lock) for entry in todo)

    def _upgrade(self, entry: Entry, lock: Lock) -> str:
        self._run(entry, lock, UPGRADING, APPLIED)
        return entry.name

    def _downgrade(self, entry: Entry, lock: Lock) -> str:
        self._run(entry, lock, DOWNGRADING, REVERTED)
        return entry.name

    def _run(self, entry: Entry, lock: Lock, during: str, after: str) -> None:
        """One direction of one migration. What it had done in the other direction is no progress of this one."""
        notes, started = notes_of(self._client, self._database), time.monotonic()
        by = f"{socket.gethostname()} (pid {os.getpid()})"
        fresh: dict[str, object] = {} if entry.state == during else {"progress": {}}
        note(notes, lock, entry.name, {"state": during, "at": datetime.now(UTC), "by": by, **fresh})
        migration = self._of(entry)
        work = migration.upgrade if during == UPGRADING else migration.downgrade
        with self._progress.step(f"{'apply' if during == UPGRADING else 'revert'} {entry.name}") as outcome:
            try:
                work(Db(self._client, self._database, notes, lock, entry.name, self._progress))
            except PyMongoError as error:
                raise ClusterError(
                    f"{entry.name} was stopped by the server ({why(error)}): mend that, then run the same command "
                    "again; it goes on from there."
                ) from error
            outcome.changed = True
        done = {"state": after, "at": datetime.now(UTC), "seconds": round(time.monotonic() - started, 1)}
        note(notes, lock, entry.name, {**done, "checksum": migration.checksum, "progress": {}})

    def _require_known(self) -> None:
        """Raises ClusterError when a migration was applied whose file is not here."""
        for entry in self.entries():
            if not entry.is_known and not entry.is_reverted:
                raise ClusterError(
                    f"{entry.name} was applied by another version of Shardboard: use that version, or add its file."
                )

    def _of(self, entry: Entry) -> Migration:
        return next(migration for migration in self._migrations if migration.name == entry.name)

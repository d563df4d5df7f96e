"""Transactions over one or several shards: who takes part, and the commit.

The shards do the work: one participant commits itself, several are committed by MongoDB's own two-phase commit on the
first of them (`coordinateCommitTransaction`).
https://github.com/mongodb/mongo/blob/v6.0/src/mongo/s/transaction_router.cpp
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import CommandError, code_of, is_stale
from .shards import Reply, Retry

if TYPE_CHECKING:
    from .operation import Operation

log = logging.getLogger(__name__)

TRANSIENT = "TransientTransactionError"
MAX_SESSIONS = 10_000
ABORT_LIMIT_S = 5.0
COMMIT_FIELDS = ("txnNumber", "autocommit")


class Transaction:
    """One transaction of one session. A session runs one command at a time, so this needs no lock."""

    def __init__(self, number: int, read_concern: Mapping[str, Any] | None) -> None:
        self.number = number
        self.participants: list[str] = []
        self.read_concern = dict(read_concern or {})
        self.wrote = False
        self.is_aborted = False

    @property
    def coordinator(self) -> str | None:
        return self.participants[0] if self.participants else None

    def run(self, op: "Operation", shard: str, body: dict[str, Any]) -> Reply:
        """A statement on one shard, which joins with its first one. Any failure ends the transaction everywhere."""
        if self.is_aborted:
            raise CommandError("NoSuchTransaction", f"Transaction {self.number} has been aborted", (TRANSIENT,))
        # The client says once that a transaction starts; each shard must be told with its own first statement.
        body = {name: value for name, value in body.items() if name not in ("startTransaction", "readConcern")}
        body.update(self._fields(op, shard))
        try:
            reply = op.grid.call(op.grid.shard(shard), body, op.deadline, Retry.NEVER)
        except CommandError as error:
            self.abort(op)
            error.labels = (TRANSIENT,)
            raise
        if not reply.get("ok") or reply.get("writeErrors"):
            self._failed(op, reply)
        if self.participants:
            reply["recoveryToken"] = {"recoveryShardId": self.coordinator}
        return reply

    def _fields(self, op: "Operation", shard: str) -> dict[str, Any]:
        fields: dict[str, Any] = {"lsid": op.lsid, "txnNumber": op.body["txnNumber"], "autocommit": False}
        if shard in self.participants:
            return fields
        if not self.participants:
            fields["coordinator"] = True
            if self.read_concern.get("level") == "snapshot" and op.grid.clock.now:
                # Every shard must read at the same time.
                self.read_concern.setdefault("atClusterTime", op.grid.clock.now)
                self.read_concern.pop("afterClusterTime", None)
        self.participants.append(shard)
        fields["startTransaction"] = True
        if self.read_concern:
            fields["readConcern"] = self.read_concern
        return fields

    def _failed(self, op: "Operation", reply: dict[str, Any]) -> None:
        if is_stale(reply):
            op.catalog.forget_all()
            labels = set(reply.get("errorLabels", ())) | {TRANSIENT}
            code, name = code_of(reply) or 13388, reply.get("codeName") or "StaleConfig"
            message = reply.get("errmsg") or "the data has moved"
            reply.clear()
            reply.update(ok=0.0, code=code, codeName=name, errmsg=message, errorLabels=sorted(labels))
        self.abort(op)

    def abort(self, op: "Operation") -> None:
        """Abort on every participant; one that cannot be reached aborts by itself when its time is over."""
        self.is_aborted = True
        deadline = min(op.deadline, time.monotonic() + ABORT_LIMIT_S)
        for shard in self.participants:
            body = _ending("abortTransaction", op, self.number)
            try:
                op.grid.call(op.grid.shard(shard), body, deadline, Retry.NOT_APPLIED)
            except CommandError as error:
                log.warning("abort of transaction %s on %s: %s", self.number, shard, error.message)


class Transactions:
    """The transactions of the sessions seen lately; the least recently used are forgotten past a limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_session: OrderedDict[bytes, Transaction] = OrderedDict()

    def begin_or_continue(self, op: "Operation") -> Transaction:
        """The transaction that a statement belongs to.

        Raises: CommandError NoSuchTransaction.
        """
        number, key = op.body["txnNumber"], _key(op)
        with self._lock:
            known = self._by_session.get(key)
            if op.body.get("startTransaction"):
                if known is not None and known.number >= number and known.participants:
                    raise CommandError("IllegalOperation", f"transaction {number} was started before")
                known = self._by_session[key] = Transaction(number, op.body.get("readConcern"))
                while len(self._by_session) > MAX_SESSIONS:
                    self._by_session.popitem(last=False)
            if known is None or known.number != number:
                raise CommandError(
                    "NoSuchTransaction", f"cannot continue transaction {number}: not known", (TRANSIENT,)
                )
            self._by_session.move_to_end(key)
            return known

    def find(self, op: "Operation") -> Transaction | None:
        """The transaction that a commit or abort is about; None when another router ran it."""
        with self._lock:
            known = self._by_session.get(_key(op))
        return known if known is not None and known.number == op.body.get("txnNumber") else None

    def forget(self, session: bytes) -> None:
        with self._lock:
            self._by_session.pop(session, None)


def _key(op: "Operation") -> bytes:
    if op.lsid is None or "txnNumber" not in op.body:
        raise CommandError("InvalidOptions", "a transaction needs lsid and txnNumber")
    return bytes(op.lsid["id"]) + bytes(op.lsid["uid"])


def _ending(name: str, op: "Operation", number: int) -> dict[str, Any]:
    return {name: 1, "$db": "admin", "lsid": op.lsid, "txnNumber": op.body["txnNumber"], "autocommit": False}


def commit(op: "Operation") -> dict[str, Any]:
    """`commitTransaction`. May be repeated: shards and coordinator remember the outcome."""
    found = op.router.transactions.find(op)
    concern = {"writeConcern": op.body.get("writeConcern") or op.grid.default_write_concern()}
    if "maxTimeMS" in op.body:
        concern["maxTimeMS"] = op.body["maxTimeMS"]
    if found is None or (not found.participants and not found.is_aborted and op.body.get("recoveryToken")):
        return _recover(op, concern)
    if found.is_aborted:
        raise CommandError("NoSuchTransaction", f"Transaction {found.number} has been aborted", (TRANSIENT,))
    if not found.participants:
        return {"ok": 1.0}
    if len(found.participants) == 1:
        body = {**_ending("commitTransaction", op, found.number), **concern}
    else:
        body = {**_ending("coordinateCommitTransaction", op, found.number), **concern,
                "participants": [{"shardId": shard} for shard in found.participants]}  # fmt: skip
    reply = op.grid.call(op.grid.shard(found.participants[0]), body, op.deadline, Retry.IDEMPOTENT)
    if reply.get("ok"):
        reply["recoveryToken"] = {"recoveryShardId": found.coordinator}
    return reply


def _recover(op: "Operation", concern: dict[str, Any]) -> dict[str, Any]:
    """A commit of a transaction that another router ran: its first shard knows how it ended."""
    token = op.body.get("recoveryToken") or {}
    shard = token.get("recoveryShardId")
    if not shard:
        raise CommandError("NoSuchTransaction", "cannot recover the transaction without a recoveryToken", (TRANSIENT,))
    body = {**_ending("coordinateCommitTransaction", op, op.body["txnNumber"]), **concern, "participants": []}
    return op.grid.call(op.grid.shard(shard), body, op.deadline, Retry.IDEMPOTENT)


def abort(op: "Operation") -> dict[str, Any]:
    """`abortTransaction`."""
    found = op.router.transactions.find(op)
    if found is None or found.is_aborted:
        raise CommandError("NoSuchTransaction", "no transaction to abort", (TRANSIENT,))
    found.abort(op)
    return {"ok": 1.0}

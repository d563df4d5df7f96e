"""Change streams: one on every shard's primary, merged here by resume token.

The router code inside mongod cannot serve them (a `clusterGetMore` of one aborts the process). An event is released
only when every shard has said that nothing earlier can come from it any more (its `postBatchResumeToken`).
https://www.mongodb.com/docs/manual/changeStreams/
"""

import logging
import re
import secrets
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bson import Int64, Timestamp
from bson.raw_bson import RawBSONDocument

from . import wire
from .errors import CommandError
from .members import ReplicaSet
from .operation import Operation
from .shards import MemberError, Retry, checked

log = logging.getLogger(__name__)

# How long a getMore waits for something new when the client does not say; as the server.
DEFAULT_WAIT_S = 1.0
# How long one shard may keep the others waiting before the next look.
SHARD_WAIT_S = 0.2
# How long a getMore waits for the config servers before it answers with nothing.
CONFIG_WAIT_S = 2.0
BATCH = 1000
RESUMABLE = ("ResumableChangeStreamError",)
STARTS = ("resumeAfter", "startAfter", "startAtOperationTime")
# A token starts with the cluster time of its event: a type byte, then seconds and increment, big-endian, in hex.
TOKEN = re.compile(r"82([0-9A-F]{8})([0-9A-F]{8})[0-9A-F]+")


def is_change_stream(pipeline: Any) -> bool:
    """Whether a pipeline opens a change stream."""
    first = pipeline[0] if isinstance(pipeline, list) and pipeline else None
    return isinstance(first, Mapping) and isinstance(first.get("$changeStream"), Mapping)


def time_of(token: str) -> Timestamp:
    """The cluster time in a resume token's `_data`. Raises: CommandError InvalidResumeToken."""
    found = TOKEN.fullmatch(token) if isinstance(token, str) else None
    if found is None:
        raise CommandError("InvalidResumeToken", "the resume token is none of a change stream")
    return Timestamp(int(found[1], 16), int(found[2], 16))


def token_of(event: Mapping[str, Any]) -> str:
    return str(event["_id"]["_data"])


@dataclass
class ShardStream:
    """The stream of one shard: what it has sent (`events`) and how far it has come (`mark`)."""

    name: str
    shard: ReplicaSet
    mark: str = ""
    cursor_id: int = 0
    address: str = ""
    events: deque[tuple[str, RawBSONDocument]] = field(default_factory=deque)

    def take(self, reply: Mapping[str, Any], batch: str) -> None:
        """Keep the events of a reply that are later than what has been seen."""
        cursor = reply["cursor"]
        for event in cursor[batch]:
            token = token_of(event)
            if token > self.mark:
                self.events.append((token, event))
        self.mark = max(self.mark, str(cursor["postBatchResumeToken"]["_data"]))
        self.cursor_id = cursor["id"]


class ChangeStream:
    """A client's cursor over the streams of all shards. Served by one command at a time."""

    def __init__(self, op: Operation) -> None:
        self.id = Int64(secrets.randbits(62) + 1)
        self.owner = op.login.identity
        self.lsid = op.lsid
        self.used_at = time.monotonic()
        self.namespace = op.namespace if isinstance(op.body["aggregate"], str) else f"{op.db}.$cmd.aggregate"
        self._command = op.without_session()
        spec = dict(op.body["pipeline"][0]["$changeStream"].items())
        # Everything up to here has been delivered, or lies before the start; a shard that joins is read from here on.
        self._delivered, self._start = _start(op, spec)
        self._spec = {name: value for name, value in spec.items() if name not in STARTS}
        self._streams: dict[str, ShardStream] = {}
        self._adopt(op)

    # -- opening

    def _adopt(self, op: Operation) -> None:
        """Open the stream of every shard that has none yet."""
        start = time_of(self._delivered) if self._delivered else self._start
        for name, shard in list(op.grid.shards.items()):
            if name not in self._streams:
                stream = ShardStream(name, shard, mark=self._delivered)
                self._open(op, stream, start)
                self._streams[name] = stream

    def _open(self, op: Operation, stream: ShardStream, start: Timestamp) -> None:
        stage = {"$changeStream": {**self._spec, "startAtOperationTime": start}}
        body = {**self._command, "pipeline": [stage, *self._command["pipeline"][1:]],
                "readConcern": {"level": "majority"}, "$db": op.db}  # fmt: skip
        body.pop("writeConcern", None)
        reply = op.grid.call(stream.shard, body, op.deadline, Retry.IDEMPOTENT)
        checked(reply)
        stream.address = reply.address
        stream.take(reply, "firstBatch")

    # -- reading

    def first_batch(self, op: Operation) -> dict[str, Any]:
        return self._reply("firstBatch", self._released(op, BATCH))

    def next_batch(self, op: Operation, wait_s: float, batch_size: int) -> dict[str, Any]:
        """Events in order, as soon as there are any; none after `wait_s`."""
        deadline = time.monotonic() + wait_s
        while True:
            events = self._released(op, batch_size)
            left_s = deadline - time.monotonic()
            if events or left_s <= 0 or self._is_over():
                return self._reply("nextBatch", events)
            slowest = min(self._streams.values(), key=lambda stream: stream.mark)
            self._advance(op, slowest, min(left_s, SHARD_WAIT_S))

    def _advance(self, op: Operation, stream: ShardStream, wait_s: float) -> None:
        db, _, collection = self.namespace.partition(".")
        body = {"getMore": stream.cursor_id, "collection": collection, "$db": db}
        body["maxTimeMS"] = max(int(wait_s * 1000), 1)
        try:
            reply = op.grid.call_member(stream.shard, stream.address, body, time.monotonic() + wait_s + 5.0)
            stream.take(checked(reply), "nextBatch")
        except (wire.ConnectionLost, CommandError, MemberError) as error:
            log.info("stream on %s is opened anew: %s", stream.name, error)
            self._reopen(op, stream)

    def _reopen(self, op: Operation, stream: ShardStream) -> None:
        """Go on where the shard's stream stopped, on its primary of now."""
        try:
            self._open(op, stream, time_of(stream.mark))
        except CommandError as error:
            error.labels = RESUMABLE
            raise

    def _released(self, op: Operation, most: int) -> list[RawBSONDocument | dict[str, Any]]:
        """Up to `most` events, in order, that no shard can precede any more."""
        if self._limit() > self._delivered and not self._knows_every_shard(op):
            return []
        limit = self._limit()
        ready = sorted(
            (token, stream.name) for stream in self._streams.values() for token, _ in stream.events if token <= limit
        )
        self._delivered = ready[most - 1][0] if len(ready) >= most else limit
        return [self._looked_up(op, self._streams[name].events.popleft()[1]) for _, name in ready[:most]]

    def _limit(self) -> str:
        return min(stream.mark for stream in self._streams.values())

    def _knows_every_shard(self, op: Operation) -> bool:
        """Whether the shards up to the limit's time are known, and watched; a shard that has joined is from now on.

        While no config server can say so nothing is delivered: late is better than an event that is never told.
        """
        try:
            op.grid.load_shards(time_of(self._limit()), CONFIG_WAIT_S)
        except (CommandError, MemberError) as error:
            log.warning("change streams wait: who is a shard cannot be read: %s", error)
            return False
        if op.grid.shards.keys() - self._streams.keys():
            self._adopt(op)
        return True

    def _looked_up(self, op: Operation, event: RawBSONDocument) -> RawBSONDocument | dict[str, Any]:
        """A shard looks a changed document up at home; one that has moved since is looked up where it is now."""
        if self._spec.get("fullDocument") != "updateLookup" or event.get("operationType") not in ("update",):
            return event
        if event.get("fullDocument", 0) is not None or "documentKey" not in event:
            return event
        from .reads import find

        body = {"find": event["ns"]["coll"], "filter": event["documentKey"], "$db": event["ns"]["db"],
                "readConcern": {"level": "majority"}, "limit": 1, "singleBatch": True}  # fmt: skip
        found = checked(find(Operation(op.router, body, op.login)))["cursor"]["firstBatch"]
        return {**event, "fullDocument": found[0] if found else None}

    def _is_over(self) -> bool:
        """A shard has closed its stream (the collection was dropped) and everything before that was delivered."""
        return any(not stream.cursor_id and not stream.events for stream in self._streams.values())

    def _reply(self, batch: str, events: list[Any]) -> dict[str, Any]:
        cursor = {"id": Int64(0) if self._is_over() else self.id, "ns": self.namespace, batch: events,
                  "postBatchResumeToken": {"_data": self._delivered}}  # fmt: skip
        return {"cursor": cursor, "ok": 1.0}

    def close(self, op: Operation) -> None:
        """Free the shards' cursors, best effort."""
        db, _, collection = self.namespace.partition(".")
        for stream in self._streams.values():
            body = {"killCursors": collection, "cursors": [stream.cursor_id], "$db": db}
            try:
                op.grid.call_member(stream.shard, stream.address, body, time.monotonic() + 2.0)
            except (wire.ConnectionLost, CommandError):
                log.info("the stream on %s was not closed: it ends with its member", stream.name)


def _start(op: Operation, spec: Mapping[str, Any]) -> tuple[str, Timestamp]:
    """What is already known, as a token, and the cluster time to start at."""
    given = [name for name in STARTS if spec.get(name) is not None]
    if len(given) > 1:
        raise CommandError("InvalidOptions", f"only one of {', '.join(given)} may be given for a change stream")
    if not given:
        # What another router has written before now must not be seen as new: every shard tells its time first.
        op.fan_out([partial(op.grid.call, shard, {"ping": 1, "$db": "admin"}, op.deadline, Retry.IDEMPOTENT)
                    for shard in op.grid.shards.values()])  # fmt: skip
        now = op.grid.clock.now
        if now is None:
            raise CommandError("HostUnreachable", "no member has told the cluster time yet")
        return "", Timestamp(now.time, now.inc + 1)
    start = spec[given[0]]
    if given == ["startAtOperationTime"] and isinstance(start, Timestamp):
        return "", start
    if not isinstance(start, Mapping):
        raise CommandError("TypeMismatch", f"$changeStream.{given[0]} is the wrong type '{type(start).__name__}'")
    token = str(start.get("_data"))
    return token, time_of(token)


def open_stream(op: Operation) -> dict[str, Any]:
    """`aggregate` with `$changeStream`."""
    stream = ChangeStream(op)
    reply = stream.first_batch(op)
    if reply["cursor"]["id"]:
        op.router.cursors.add(stream)
    return reply


def get_more(op: Operation, stream: ChangeStream) -> dict[str, Any]:
    """`getMore` on a change stream."""
    wait_ms = op.body.get("maxTimeMS")
    wait_s = DEFAULT_WAIT_S if wait_ms is None else float(wait_ms) / 1000
    op.deadline = time.monotonic() + wait_s + 20.0
    try:
        reply = stream.next_batch(op, wait_s, int(op.body.get("batchSize") or BATCH))
    except (CommandError, MemberError):
        op.router.cursors.remove(stream.id)
        stream.close(op)
        raise
    if not reply["cursor"]["id"]:
        op.router.cursors.remove(stream.id)
    return reply

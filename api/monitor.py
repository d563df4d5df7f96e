"""What the routers know of the shards behind them, asked as the monitoring user (`MONGODB_MONITOR_URI`).

The API's own user may read and write documents and nothing else, so this has a client of its own, made on first use.
"""

import threading
import time
from typing import Any

import pymongo
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.read_preferences import ReadPreference

from . import times
from .config import Settings
from .db import CONNECT_MS, Document

# A question about health that takes longer is an answer.
PATIENCE_MS = 1_500
FRESH_S = 2.0


TZ_AWARE: CodecOptions[Document] = CodecOptions(tz_aware=True)


class Monitor:
    """Asks the routers about the cluster."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: MongoClient[Document] | None = None
        self._lock = threading.Lock()
        self._known: tuple[float, dict[str, str] | None] | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is anybody to ask."""
        return bool(self._settings.mongodb_monitor_uri)

    def command(self, name: str, database: str = "admin", value: Any = 1, **arguments: Any) -> Document:
        """The reply of a router to one command.

        Raises:
            PyMongoError: it was refused, or not answered in time.
        """
        with pymongo.timeout(PATIENCE_MS / 1000):
            found: Document = self._opened()[database].command(
                name, value, read_preference=ReadPreference.PRIMARY_PREFERRED, codec_options=TZ_AWARE, **arguments
            )
        return found

    def shards(self) -> dict[str, list[Document]]:
        """The members of each shard, e.g. `{"shard-1": [{"address": "a:1", "is_up": True, "is_primary": True}]}`.

        They are seen with the eyes of one router: it lists those that it knows to answer, and drops others.
        """
        known = self.command("listShards")["shards"]
        seen = self.command("connPoolStats").get("replicaSets", {})
        return {shard["_id"]: _members(shard["host"], seen) for shard in known}

    def routers(self) -> list[Document]:
        """The routers that have reported lately, e.g. `[{"address": "a:1", "version": "8.0.4", "seen_at": ...}]`."""
        reply = self.command("find", "config", value="mongos", sort={"_id": 1}, limit=100)
        return [
            {
                "address": router["_id"],
                "version": router.get("mongoVersion"),
                "seen_at": times.show(router["ping"]) if "ping" in router else None,
            }
            for router in reply["cursor"]["firstBatch"]
        ]

    def reachability(self) -> dict[str, str] | None:
        """Each shard's name with `answers` or `has no primary`; None when nobody can tell.

        Remembered for two seconds: whoever restarts services asks often, and anybody may ask.
        """
        at = time.monotonic()
        if self._known is None or at - self._known[0] >= FRESH_S:
            self._known = (at, self._look())
        return self._known[1]

    def _look(self) -> dict[str, str] | None:
        if not self.is_there:
            return None
        try:
            shards = self.shards().items()
        except PyMongoError:
            return None
        return {name: "answers" if is_up(members) else "has no primary" for name, members in shards}

    def missing_shards(self) -> list[str] | None:
        """The shards without a primary, by name; None when nobody can tell."""
        if not self.is_there:
            return None
        try:
            return [name for name, members in self.shards().items() if not is_up(members)]
        except PyMongoError:
            return None

    def close(self) -> None:
        """Give back every socket."""
        if self._client is not None:
            self._client.close()

    def _opened(self) -> MongoClient[Document]:
        with self._lock:
            if self._client is None:
                self._client = MongoClient(
                    self._settings.mongodb_monitor_uri,
                    appname="shardboard-api-monitor",
                    tz_aware=True,
                    serverSelectionTimeoutMS=PATIENCE_MS,
                    connectTimeoutMS=CONNECT_MS,
                    maxPoolSize=2,
                )
            return self._client


def _members(host: str, seen: Document) -> list[Document]:
    """The members of a shard that is known as `host`, e.g. `shard-1/a:1,b:1`, and what the router has seen of them."""
    set_name, _, addresses = host.partition("/")
    hosts = {each["addr"]: each for each in seen.get(set_name, {}).get("hosts", ())}
    return [
        {
            "address": address,
            "is_up": bool(hosts.get(address, {}).get("ok")),
            "is_primary": bool(hosts.get(address, {}).get("ok") and hosts[address].get("ismaster")),
        }
        for address in sorted({*addresses.split(","), *hosts})
    ]


def is_up(members: list[Document]) -> bool:
    """Whether a shard can be written to."""
    return any(member["is_primary"] for member in members)

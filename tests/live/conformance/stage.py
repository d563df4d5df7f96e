"""The database that the rows play in: one sharded collection over two shards, an unsharded one, a view of each."""

import uuid
from collections.abc import Mapping
from typing import Any

from bson import Binary
from pymongo import MongoClient

from .row import DB, Ask, Reply, Row, check

# `k` is the shard key of SHARDED: below 5 on one shard, from 5 on on the other.
SHARDED, PLAIN, VIEW, PLAIN_VIEW, MISSING, SCRATCH = "sharded", "plain", "view", "plain_view", "missing", "scratch"
KEPT = {SHARDED, PLAIN, VIEW, PLAIN_VIEW}
DOCUMENTS = [{"_id": n, "k": n, "n": n * 10, "even": n % 2 == 0, "tags": ["all", f"t{n}"]} for n in range(10)]
ONLY_EVEN = [{"$match": {"even": True}}]


class Stage:
    """Sends the commands of rows as they stand: a driver would add a session and numbers of its own."""

    def __init__(self, client: MongoClient[Any]) -> None:
        self._client = client

    @property
    def version(self) -> tuple[int, ...]:
        """Of the servers, e.g. `(6, 0)`."""
        return tuple(self._client.server_info()["versionArray"][:2])

    def build(self) -> None:
        """Make the collections anew."""
        client = self._client
        client.drop_database(DB)
        client.admin.command("enableSharding", DB)
        client.admin.command("shardCollection", f"{DB}.{SHARDED}", key={"k": 1})
        client.admin.command("split", f"{DB}.{SHARDED}", middle={"k": 5})
        other = next(
            name for name in self.shards if name != client.config["databases"].find_one({"_id": DB})["primary"]
        )
        client.admin.command("moveChunk", f"{DB}.{SHARDED}", find={"k": 5}, to=other)
        client[DB][SHARDED].create_index("n")
        client[DB][PLAIN].create_index("n")
        client[DB].create_collection(VIEW, viewOn=SHARDED, pipeline=ONLY_EVEN)
        client[DB].create_collection(PLAIN_VIEW, viewOn=PLAIN, pipeline=ONLY_EVEN)
        self._fill()

    def _fill(self) -> None:
        for name in (SHARDED, PLAIN):
            self._client[DB][name].delete_many({})
            self._client[DB][name].insert_many(DOCUMENTS)

    def clean(self) -> None:
        """Put documents and collections back as `build` made them."""
        for name in set(self._client[DB].list_collection_names()) - KEPT:
            if not name.startswith("system."):
                self._client[DB].drop_collection(name)
        self._fill()

    def remove(self) -> None:
        self._client.drop_database(DB)

    @property
    def shards(self) -> list[str]:
        return sorted(shard["_id"] for shard in self._client.admin.command("listShards")["shards"])

    def play(self, row: Row) -> None:
        """Ask everything that a row asks, in one session; the first wrong answer fails."""
        session = {"id": Binary.from_uuid(uuid.uuid4())}
        answers: list[Reply] = []
        with self._client._conn_for_writes(None, "raw") as connection:  # no public call leaves a command alone
            for asked in row.asks:
                command = asked.command(answers) if callable(asked.command) else asked.command
                reply = self._send(connection, asked, command, session)
                answers.append(reply)
                problem = check(asked, reply)
                assert problem is None, f"{problem}\nasked: {command}\nanswer: {reply}"

    def send(self, command: Mapping[str, Any], db: str) -> Reply:
        """The answer to one command in no session, `ok: 0` or not."""
        with self._client._conn_for_writes(None, "raw") as connection:
            return dict(connection.command(db, dict(command), check=False))

    @staticmethod
    def _send(connection: Any, asked: Ask, command: Mapping[str, Any], session: Mapping[str, Any]) -> Reply:
        sent = dict(command) if "lsid" in command else {**command, "lsid": session}
        return dict(connection.command(asked.db, sent, check=False))

"""A `find` that shows what the shards which answer have, and knows whether one did not.

The driver's cursor hides `partialResultsReturned`, so the command is sent as it is and read in one batch.
https://www.mongodb.com/docs/manual/reference/command/find/
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo.collection import Collection

from ..db import Document
from ..preferences import Reading


class PartialFind:
    """Stands for the cursor of `Collection.find`, as far as the lists of `store` use one."""

    def __init__(self, collection: Collection[Document], reading: Reading, extra: Mapping[str, Any]) -> None:
        self._collection, self._reading, self._extra = collection, reading, dict(extra)
        self._session = self._extra.pop("session", None)
        self._command: Document = {"find": collection.name}

    def __call__(self, filter_: Mapping[str, Any], projection: Mapping[str, Any] | None = None) -> "PartialFind":
        self._command["filter"] = filter_
        if projection:
            self._command["projection"] = projection
        return self

    def sort(self, keys: Sequence[tuple[str, int]]) -> "PartialFind":
        self._command["sort"] = dict(keys)
        return self

    def hint(self, keys: Sequence[tuple[str, int]]) -> "PartialFind":
        self._command["hint"] = dict(keys)
        return self

    def skip(self, count: int) -> "PartialFind":
        self._command["skip"] = count
        return self

    def limit(self, count: int) -> "PartialFind":
        self._command |= {"limit": count, "batchSize": count, "singleBatch": True}
        return self

    def __iter__(self) -> Iterator[Document]:
        options = {"allowPartialResults": True, "readConcern": {"level": "majority"}, **self._extra}
        reply = self._collection.database.command(
            {**self._command, **options},
            read_preference=self._collection.read_preference,
            codec_options=self._collection.codec_options,
            session=self._session,
        )
        is_partial = bool(reply["cursor"].get("partialResultsReturned"))
        self._reading.is_partial = bool(self._reading.is_partial) or is_partial
        return iter(reply["cursor"]["firstBatch"])

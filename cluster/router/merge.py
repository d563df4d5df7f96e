"""A find over several shards inside a transaction.

The router code inside mongod takes no part in transactions, so the shards' answers are merged here: each shard sorts,
and says by which key it has sorted.
"""

from typing import Any

from bson import Int64

from .chunks import Table
from .errors import CommandError
from .keys import UnsupportedKey, ordered
from .operation import Operation, latest
from .shards import Retry, checked

MAX_DOCUMENTS = 10_000
SORT_KEY = "$sortKey"


def find(op: Operation, where: Table, shards: list[str]) -> dict[str, Any]:
    """The answer in one batch.

    Raises: CommandError OperationNotSupportedInTransaction past `MAX_DOCUMENTS`, which names the limit.
    """
    skip, limit = int(op.body.get("skip") or 0), abs(int(op.body.get("limit") or 0))
    sort = list((op.body.get("sort") or {}).items())
    body = _body_for_shards(op, skip, limit, bool(sort))
    replies = [checked(op.on_shard(shard, body, where, Retry.NEVER)) for shard in shards]
    rows = [row for reply in replies for row in reply["cursor"]["firstBatch"]]
    if len(rows) > MAX_DOCUMENTS or any(reply["cursor"]["id"] for reply in replies):
        _refuse(op, f"more than {MAX_DOCUMENTS} documents of several shards")
    if sort:
        rows = _sorted(op, rows, [direction for _, direction in sort])
    rows = rows[skip : skip + limit] if limit else rows[skip:]
    tokens = {"recoveryToken": replies[-1]["recoveryToken"]}
    return {"cursor": {"id": Int64(0), "ns": op.namespace, "firstBatch": rows}, "ok": 1.0, **tokens, **latest(replies)}


def _body_for_shards(op: Operation, skip: int, limit: int, is_sorted: bool) -> dict[str, Any]:
    body = op.forwarded(batchSize=MAX_DOCUMENTS + 1)
    for name in ("skip", "limit", "singleBatch"):
        body.pop(name, None)
    if limit:
        body["limit"] = skip + limit
    if is_sorted:
        body["projection"] = {**(op.body.get("projection") or {}), SORT_KEY: {"$meta": "sortKey"}}
    return body


def _sorted(op: Operation, rows: list[Any], directions: list[Any]) -> list[dict[str, Any]]:
    keyed = [(list(row[SORT_KEY]), {name: value for name, value in row.items() if name != SORT_KEY}) for row in rows]
    try:
        for place in reversed(range(len(directions))):
            keyed.sort(key=lambda pair: ordered(pair[0][place]), reverse=directions[place] == -1)  # noqa: B023
    except UnsupportedKey as error:
        _refuse(op, f"a sort by values of type {error}")
    return [row for _, row in keyed]


def _refuse(op: Operation, what: str) -> None:
    if op.transaction is not None:
        op.transaction.abort(op)
    raise CommandError("OperationNotSupportedInTransaction", "inside a transaction the stand-in router does not merge "
                       f"{what}: name the shard key in the filter, or use a real mongos")  # fmt: skip

"""The declared collections, applied: created with their validators, sharded, indexed."""

from collections.abc import Iterable

from .apply import apply
from .collections import COLLECTIONS
from .connections import Client
from .declaration import Collection
from .drift import Difference, collection_differences
from .errors import ClusterError
from .found import read_collections
from .operations import Operation
from .together import together

# Sharding takes cluster-wide locks: more at once only wait for each other.
AT_ONCE = 4
# What a bring-up completes. What somebody else has made, or made differently, is `check` and a migration's business.
COMPLETED = frozenset(
    {"missing collection", "unsharded collection", "missing index", "missing validator", "different validator"}
)
REFUSED = "different shard key"


def ensure_collections(routers: Client, database: str, declared: tuple[Collection, ...] = COLLECTIONS) -> bool:
    """Creates, shards and indexes what is missing and updates validators; whether it changed something.

    Raises:
        ClusterError: a collection is sharded by another key than declared, which nothing but a migration may change.
    """
    found = read_collections(routers, database)
    differences = collection_differences(found, declared)
    for difference in differences:
        if difference.kind == REFUSED:
            raise ClusterError(
                f"In {database}, {difference.says}: write a migration with `scripts/cluster migrate new --auto`."
            )
    work = _by_collection(d for d in differences if d.kind in COMPLETED)
    together(lambda operations: apply(routers, database, operations), work, AT_ONCE)
    return bool(work)


def _by_collection(differences: Iterable[Difference]) -> list[list[Operation]]:
    """The operations of each collection: those of one follow each other, those of several run side by side."""
    grouped: dict[str, list[Operation]] = {}
    for difference in differences:
        grouped.setdefault(difference.subject.partition(".")[0], []).extend(difference.operations)
    return list(grouped.values())

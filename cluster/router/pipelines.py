"""What an aggregation needs: its stages read, and write, more than the collection that it names."""

from collections.abc import Mapping
from typing import Any

from .access import CLUSTER, EVERYTHING, Need
from .errors import CommandError


def needs_of_pipeline(db: str, collection: str, pipeline: Any) -> list[Need]:
    """What an aggregation needs: reading its source and every other collection that its stages read or write."""
    pipeline = _stages(pipeline)
    first = next(iter(pipeline[0])) if pipeline else ""
    needs = [_need_of_source(first, pipeline[0][first] if pipeline else None, db, collection)]
    for stage in pipeline:
        name, value = next(iter(stage.items()))
        needs += _needs_of_stage(db, name, value)
    return needs


def _stages(pipeline: Any) -> list[Mapping[str, Any]]:
    if not isinstance(pipeline, list) or not all(isinstance(stage, Mapping) and len(stage) for stage in pipeline):
        raise CommandError("TypeMismatch", "Each element of the 'pipeline' array must be an object")
    return pipeline


SOURCE_ACTIONS = {"$collStats": "collStats", "$indexStats": "indexStats", "$changeStream": "changeStream",
                  "$planCacheStats": "planCacheRead"}  # fmt: skip
CLUSTER_SOURCES = {"$currentOp": "inprog", "$shardedDataDistribution": "shardedDataDistribution",
                   "$listSessions": "listSessions", "$listLocalSessions": "listSessions"}  # fmt: skip


def _need_of_source(stage: str, value: Any, db: str, collection: str) -> Need:
    if stage in CLUSTER_SOURCES:
        return Need(CLUSTER_SOURCES[stage], CLUSTER)
    if stage == "$changeStream" and isinstance(value, Mapping) and value.get("allChangesForCluster"):
        return Need("changeStream", EVERYTHING)
    return Need(SOURCE_ACTIONS.get(stage, "find"), (db, collection))


def _needs_of_stage(db: str, name: str, value: Any) -> list[Need]:
    if name == "$out":
        target = _target(db, value, "coll")
        return [Need("insert", target), Need("remove", target)]
    if name == "$merge":
        target = _target(db, value.get("into") if isinstance(value, Mapping) else value, "coll")
        return [Need("insert", target), Need("update", target)]
    if name == "$unionWith" and isinstance(value, str):
        return _nested(db, value, None)
    if name not in ("$lookup", "$graphLookup", "$unionWith", "$facet"):
        return []
    if not isinstance(value, Mapping):
        raise CommandError("FailedToParse", f"the {name} stage specification must be an object")
    if name == "$facet":
        return [need for inner in value.values() for need in _nested(db, None, inner)]
    return _nested(db, value.get("coll" if name == "$unionWith" else "from"), value.get("pipeline"))


def _target(db: str, value: Any, field: str) -> tuple[str, str]:
    where, collection = (value.get("db", db), value.get(field)) if isinstance(value, Mapping) else (db, value)
    if not isinstance(where, str) or not isinstance(collection, str):
        raise CommandError("FailedToParse", "a stage names a collection, or a document of its db and coll")
    return where, collection


def _nested(db: str, source: Any, pipeline: Any) -> list[Need]:
    needs = []
    if source is not None:
        needs.append(Need("find", _target(db, source, "coll")))
    for stage in _stages(pipeline or []):
        needs += _needs_of_stage(db, *next(iter(stage.items())))
    return needs

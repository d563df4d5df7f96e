"""Queries on projects. The shard key is the id; those of one person are spread over the shards."""

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument

from ..db import Document
from .owned_queries import Sort, all_of
from .query import Documents, queries_of

query = queries_of("projects")

# One that is being deleted is seen by nobody but the worker. Named so, the statuses are bounds of an index scan.
LIVE = {"$in": ["active", "archived"]}


def taken_part_in_by(user_id: ObjectId) -> Document:
    """The condition of a project that a person owns or is a member of."""
    return {"$or": [{"owner_id": user_id}, {"member_ids": user_id}]}


@query
def insert_project(projects: Documents, project: Document) -> None:
    projects.insert_one(project)


@query
def find_project(projects: Documents, project_id: ObjectId, condition: Mapping[str, Any]) -> Document | None:
    """The project, if it meets `condition` (see `access`) and is not being deleted."""
    return projects.find_one({"_id": project_id, "status": LIVE, **condition})


@query
def update_project(
    projects: Documents, project_id: ObjectId, conditions: Sequence[Mapping[str, Any]], change: Sequence[Document]
) -> Document | None:
    """The project after `change`; None where there is none that meets every condition."""
    return projects.find_one_and_update(
        {"_id": project_id, "status": LIVE, "$and": list(conditions)}, change, return_document=ReturnDocument.AFTER
    )


@query
def delete_project(projects: Documents, project_id: ObjectId) -> None:
    """The last step of a deletion."""
    projects.delete_one({"_id": project_id, "status": "deleting"})


@query
def list_projects_of(
    projects: Documents, user_id: ObjectId, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    """Those that a person owns or is a member of: two index scans, merged."""
    return list(projects.find(_of(user_id, clauses)).sort(sort).skip(skip).limit(limit))


@query
def count_projects_of(projects: Documents, user_id: ObjectId, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return projects.count_documents(_of(user_id, clauses), limit=most)


def _of(user_id: ObjectId, clauses: Sequence[Document]) -> Document:
    return {"$and": [taken_part_in_by(user_id), *clauses]}


@query
def list_projects_of_owner(
    projects: Documents, owner_id: ObjectId, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    return list(projects.find(all_of({"owner_id": owner_id}, clauses)).sort(sort).skip(skip).limit(limit))


@query
def count_projects_of_owner(projects: Documents, owner_id: ObjectId, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return projects.count_documents(all_of({"owner_id": owner_id}, clauses), limit=most)


@query
def list_all_projects(
    projects: Documents, clauses: Sequence[Document], sort: Sort, limit: int, skip: int = 0
) -> list[Document]:
    return list(projects.find(all_of({}, clauses)).sort(sort).skip(skip).limit(limit))


@query
def count_all_projects(projects: Documents, clauses: Sequence[Document], most: int) -> int:
    """How many there are; counting ends at `most`."""
    return projects.count_documents(all_of({}, clauses), limit=most)


@query
def list_projects_by_id(
    projects: Documents, project_ids: Sequence[ObjectId], condition: Mapping[str, Any]
) -> list[Document]:
    """Those projects that meet `condition` (see `access`) and are not being deleted, in no order."""
    wanted = {"_id": {"$in": list(project_ids)}, "status": LIVE, **condition}
    return list(projects.find(wanted).hint([("_id", 1)]).limit(len(project_ids)))


@query
def list_names(projects: Documents, project_ids: Sequence[ObjectId], condition: Mapping[str, Any]) -> list[Document]:
    """The names of those projects that meet `condition` and are not being deleted, in no order."""
    wanted = {"_id": {"$in": list(project_ids)}, "status": LIVE, **condition}
    return list(projects.find(wanted, {"name": 1}).hint([("_id", 1)]).limit(len(project_ids)))


@query
def list_project_ids_of(projects: Documents, user_id: ObjectId) -> list[ObjectId]:
    """The projects that a person owns or is a member of."""
    mine = {"status": LIVE, **taken_part_in_by(user_id)}
    return [project["_id"] for project in projects.find(mine, {"_id": 1})]


@query
def list_project_versions_of(projects: Documents, user_id: ObjectId) -> dict[ObjectId, int]:
    """The projects that a person owns or is a member of, each with the version at which that is so."""
    mine = {"status": LIVE, **taken_part_in_by(user_id)}
    return {project["_id"]: project["version"] for project in projects.find(mine, {"version": 1})}


@query
def list_project_ids_of_owner(projects: Documents, owner_id: ObjectId, limit: int) -> list[ObjectId]:
    owned = {"owner_id": owner_id, "status": LIVE}
    return [project["_id"] for project in projects.find(owned, {"_id": 1}).limit(limit)]


@query
def estimate_projects(projects: Documents) -> int:
    """From metadata: quick, and orphans of a range on the move count twice."""
    return projects.estimated_document_count()

"""Queries on projects. The shard key is the id; those of one person are spread over the shards."""

from collections.abc import Mapping
from typing import Any

from bson import ObjectId

from ..db import Document
from .query import Documents, queries_of

query = queries_of("projects")

# One that is being deleted is seen by nobody but the worker.
LIVE = {"$ne": "deleting"}


@query
def insert_project(projects: Documents, project: Document) -> None:
    projects.insert_one(project)


@query
def find_project(projects: Documents, project_id: ObjectId, condition: Mapping[str, Any]) -> Document | None:
    """The project, if it meets `condition` (see `access`) and is not being deleted."""
    return projects.find_one({"_id": project_id, "status": LIVE, **condition})


@query
def list_project_ids_of(projects: Documents, user_id: ObjectId) -> list[ObjectId]:
    """The projects that a person owns or is a member of."""
    mine = {"status": LIVE, "$or": [{"owner_id": user_id}, {"member_ids": user_id}]}
    return [project["_id"] for project in projects.find(mine, {"_id": 1})]


@query
def list_project_ids_of_owner(projects: Documents, owner_id: ObjectId, limit: int) -> list[ObjectId]:
    owned = {"owner_id": owner_id, "status": LIVE}
    return [project["_id"] for project in projects.find(owned, {"_id": 1}).limit(limit)]


@query
def estimate_projects(projects: Documents) -> int:
    """From metadata: quick, and orphans of a range on the move count twice."""
    return projects.estimated_document_count()

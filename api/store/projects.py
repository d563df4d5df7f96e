"""Queries on projects. The shard key is the id; those of one person are spread over the shards."""

from bson import ObjectId

from ..db import Document
from .query import Documents, queries_of

query = queries_of("projects")


@query
def insert_project(projects: Documents, project: Document) -> None:
    projects.insert_one(project)


@query
def find_project_of(projects: Documents, project_id: ObjectId, user_id: ObjectId) -> Document | None:
    """The project, if that user owns it or is a member."""
    return projects.find_one({"_id": project_id, "$or": [{"owner_id": user_id}, {"member_ids": user_id}]})


@query
def list_project_ids_of(projects: Documents, user_id: ObjectId) -> list[ObjectId]:
    """The projects that a person owns or is a member of."""
    mine = {"$or": [{"owner_id": user_id}, {"member_ids": user_id}]}
    return [project["_id"] for project in projects.find(mine, {"_id": 1})]


@query
def list_project_ids_of_owner(projects: Documents, owner_id: ObjectId, limit: int) -> list[ObjectId]:
    return [project["_id"] for project in projects.find({"owner_id": owner_id}, {"_id": 1}).limit(limit)]


@query
def estimate_projects(projects: Documents) -> int:
    """From metadata: quick, and orphans of a range on the move count twice."""
    return projects.estimated_document_count()

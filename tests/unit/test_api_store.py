"""Queries are named, and their routing is declared; nothing reaches a collection beside them."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest
from bson import ObjectId

from api import access, store, times
from api.auth import Principal
from api.db import problem_of
from api.store.owned import at_versions, change, new_document
from api.store.query import QUERIES
from cluster.collections import BY_NAME
from cluster.queries import QUERIES as DECLARED

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "api").rglob("*.py"))
METHODS = {
    *("find", "find_one", "insert_one", "insert_many", "update_one", "update_many", "replace_one", "delete_one"),
    *("delete_many", "aggregate", "count_documents", "distinct", "find_one_and_update", "find_one_and_delete"),
    *("find_one_and_replace", "bulk_write", "estimated_document_count"),
}

for module in pkgutil.iter_modules(store.__path__):
    importlib.import_module(f"{store.__name__}.{module.name}")


def test_every_query_declares_its_routing() -> None:
    """And every declaration has its query."""
    assert set(QUERIES) == set(DECLARED)


def test_every_query_is_of_a_declared_collection() -> None:
    assert {name.partition(".")[0] for name in QUERIES} <= set(BY_NAME)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_are_sent_by_named_queries_alone(path: Path) -> None:
    """A command without a name would escape the declaration."""
    named = {
        call
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        and any(isinstance(each, ast.Name) and each.id == "query" for each in function.decorator_list)
        for call in sent(function)
    }
    assert sent(ast.parse(path.read_text())) - named == set()


def sent(tree: ast.AST) -> set[tuple[int, str]]:
    """The line and method of each call that looks like a command."""
    return {
        (node.lineno, node.func.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS
    }


def test_a_change_takes_clients_values_literally() -> None:
    """A title may be "$owner_id"."""
    (stage,) = change({"title": "$owner_id"}, None, None, times.now())

    assert stage["$set"]["title"] == {"$literal": "$owner_id"}
    assert stage["$set"]["version"] == {"$add": ["$version", 1]}


def test_a_conditional_write_names_its_versions() -> None:
    assert at_versions(None) == {}
    assert at_versions({4, 3}) == {"version": {"$in": [3, 4]}}
    assert at_versions(set()) == {"version": {"$in": []}}


def test_a_new_document_has_its_stamps() -> None:
    at, actor = times.now(), ObjectId()
    document = new_document({"title": "x"}, actor, "request-1", at)

    assert isinstance(document["_id"], ObjectId)
    assert (document["version"], document["updated_by"], document["created_at"]) == (1, actor, at)


OWNER, OTHER = ObjectId(), ObjectId()
MEMBER, ADMIN = Principal(OTHER, "member", "s", 0), Principal(OTHER, "admin", "s", 0)
HIMSELF = Principal(OWNER, "member", "s", 0)


def test_owners_and_admins_see_change_and_delete_a_task() -> None:
    for caller in (HIMSELF, ADMIN):
        assert access.sees_task(caller, OWNER) == {}
        assert access.changes_task(caller, OWNER, {"title"}) == {}
        assert access.owns(caller, OWNER) == {}


def test_an_assignee_sees_a_task_and_changes_status_and_position() -> None:
    """The rule is part of the filter: whether they are the assignee, the database says."""
    assert access.sees_task(MEMBER, OWNER) == {"assignee_id": OTHER}
    assert access.changes_task(MEMBER, OWNER, {"status", "position"}) == {"assignee_id": OTHER}


def test_an_assignee_changes_nothing_else_and_deletes_nothing() -> None:
    assert access.changes_task(MEMBER, OWNER, {"status", "assignee_id"}) is None
    assert access.owns(MEMBER, OWNER) is None


@pytest.mark.parametrize(
    ("hello", "environment", "part"),
    [
        ({"setName": "rs0"}, "development", "replica set rs0"),
        ({"isWritablePrimary": True}, "development", "standalone"),
        ({"msg": "isdbgrid", "shardboardStandIn": True}, "production", "stand-in"),
    ],
)
def test_only_routers_are_served_from(hello: dict[str, object], environment: str, part: str) -> None:
    """One sentence says what it is and what to do."""
    problem = problem_of(hello, environment)

    assert problem is not None
    assert part in problem
    assert problem.startswith("MONGODB_URI ")


def test_routers_are_served_from() -> None:
    assert problem_of({"msg": "isdbgrid"}, "production") is None
    assert problem_of({"msg": "isdbgrid", "shardboardStandIn": True}, "development") is None

"""The declared roles hold the least that the API and the worker need."""

from cluster.collections import AUDIT, COLLECTIONS, FOLLOWERS, MIGRATIONS
from cluster.roles import ACCOUNTS, API, WORKER, Role, roles

ROLES: dict[str, Role] = {role.name: role for role in roles("shardboard")}
DATA_ACTIONS = {"find", "insert", "update", "remove", "changeStream"}


def actions(role: str, collection: str) -> set[str]:
    """What the role may do with the collection."""
    return {a for p in ROLES[role].privileges if p.collection == collection for a in p.actions}


def test_the_api_may_use_every_collection_and_define_none() -> None:
    """Documents only: no index, no collection, no validator, and no way round one."""
    for collection in COLLECTIONS:
        assert {"find"} <= actions(API.role, collection.name) <= DATA_ACTIONS


def test_nobody_rewrites_the_audit_trail() -> None:
    """It can be read and added to, by the API and by the worker."""
    for account in (API, WORKER):
        assert actions(account.role, AUDIT.name).isdisjoint({"update", "remove"})
        assert "insert" in actions(account.role, AUDIT.name)


def test_only_the_worker_says_how_far_the_trail_has_come() -> None:
    """Whoever could move it on could leave changes out of the trail."""
    assert actions(API.role, FOLLOWERS.name) == {"find", "changeStream"}
    assert {"insert", "update"} <= actions(WORKER.role, FOLLOWERS.name)


def test_applied_migrations_are_read_only() -> None:
    """Only a migration, which runs as the administrator, notes itself."""
    assert actions(API.role, MIGRATIONS.name) == {"find", "changeStream"}


def test_a_whole_database_is_watched_and_not_written() -> None:
    """One change stream over several collections needs that, and tells their common order."""
    for account in (API, WORKER):
        assert actions(account.role, "") == {"find", "changeStream"}


def test_roles_reach_no_other_database() -> None:
    """Another application of the same cluster is none of ours."""
    databases = {p.database for role in (API.role, WORKER.role) for p in ROLES[role].privileges}

    assert databases == {"shardboard"}


def test_every_account_has_a_declared_or_built_in_role() -> None:
    """A typing error would create a user that may do nothing."""
    assert {account.role for account in ACCOUNTS} <= {*ROLES, "root"}

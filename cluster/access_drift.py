"""Differences of roles, users and default concerns, with what mends each. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .collections import COLLECTIONS
from .drift import Difference, collection_differences
from .found import Found
from .roles import ACCOUNTS, ADMIN_DATABASE, Account, Role, roles

DEFAULT_CONCERN: dict[str, dict[str, Any]] = {
    "defaultReadConcern": {"level": "majority"},
    "defaultWriteConcern": {"w": "majority", "wtimeout": 0},
}
# Built-in roles of `admin` that reach the documents of every database.
ALL_DATABASES = frozenset(
    {
        "root",
        "__system",
        "readAnyDatabase",
        "readWriteAnyDatabase",
        "dbAdminAnyDatabase",
        "userAdminAnyDatabase",
        "userAdmin",
        "dbOwner",
        "restore",
        "backup",
        "clusterAdmin",
    }
)
# What `users create` notes on the users that it makes, so that nobody takes them for strangers.
MADE_BY = "scripts/cluster users create"

Generation = Callable[[str], str]


def all_differences(found: Found, database: str, generation: Generation) -> tuple[Difference, ...]:
    """Every difference; `generation` says which user of an account is in use."""
    return (
        *collection_differences(found.collections, COLLECTIONS),
        *_roles(found, database),
        *_users(found, database, generation),
        *_concern(found),
    )


def _roles(found: Found, database: str) -> Iterator[Difference]:
    declared = {role.name: role for role in roles(database)}
    for name, role in declared.items():
        present = found.roles.get(name)
        if present is None:
            yield Difference("missing role", name, f"the role {name} does not exist", True)
        elif not same_role(present, role):
            yield Difference("different role", name, f"the role {name} has other privileges than declared", True)
    for name in sorted(found.roles.keys() - declared.keys()):
        if _reaches(found.roles[name].get("inheritedPrivileges") or found.roles[name]["privileges"], database):
            says = f"the role {name} reaches {database} and is not declared"
            yield Difference("undeclared role", name, says, False, command=_admin(f'dropRole: "{name}"'))


def same_role(found: Mapping[str, Any], role: Role) -> bool:
    """Whether a role of `rolesInfo` has the declared privileges and parents, in any order."""
    return comparable_role(found) == comparable_role(role.definition())


def comparable_role(role: Mapping[str, Any]) -> tuple[Any, ...]:
    """A role's own privileges and parents, in any order."""
    privileges = frozenset(
        (p["resource"].get("db"), p["resource"].get("collection"), frozenset(p["actions"])) for p in role["privileges"]
    )
    return privileges, frozenset((parent["role"], parent["db"]) for parent in role["roles"])


def _reaches(privileges: list[Mapping[str, Any]], database: str) -> bool:
    return any(p["resource"].get("db") == database for p in privileges)


def _users(found: Found, database: str, generation: Generation) -> Iterator[Difference]:
    for account in ACCOUNTS:
        yield from _account(found, account, account.user(generation(account.name)))
    known = {user for account in ACCOUNTS for user in account.users}
    for name in sorted(found.users.keys() - known):
        user = found.users[name]
        if (user.get("customData") or {}).get("madeBy") != MADE_BY and _may_reach(user, database, found):
            says = f"the user {name} can reach {database} and is not declared"
            yield Difference("undeclared user", name, says, False, command=_admin(f'dropUser: "{name}"'))


def _account(found: Found, account: Account, in_use: str) -> Iterator[Difference]:
    if in_use not in found.users:
        yield Difference("missing user", in_use, f"the user {in_use} does not exist", True)
    for name in account.users:
        user = found.users.get(name)
        if user is not None and user["roles"] != roles_of(account.role):
            held = ", ".join(role["role"] for role in user["roles"]) or "none"
            says = f"the user {name} has the roles {held}, declared is {account.role}"
            yield Difference("different user", name, says, True)


def roles_of(role: str) -> list[dict[str, str]]:
    """What `createUser` takes."""
    return [{"role": role, "db": ADMIN_DATABASE}]


def _may_reach(user: Mapping[str, Any], database: str, found: Found) -> bool:
    """Whether one of the user's roles leads to the application's documents."""
    for role in user["roles"]:
        if role["db"] == database or role["role"] in ALL_DATABASES:
            return True
        definition = found.roles.get(role["role"], {})
        if _reaches(definition.get("inheritedPrivileges", []), database):
            return True
    return False


def _concern(found: Found) -> Iterator[Difference]:
    for name, wanted in DEFAULT_CONCERN.items():
        if not same_concern(found.concern.get(name), wanted):
            what = "read" if "Read" in name else "write"
            says = f"reads and writes that name no {what} concern do not use majority"
            yield Difference("different default", name, says, True)


def same_concern(current: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Whether a concern of `getDefaultRWConcern` is the declared one."""
    return all((current or {}).get(key) == value for key, value in wanted.items())


def _admin(command: str) -> str:
    return f'db.getSiblingDB("{ADMIN_DATABASE}").runCommand({{{command}}})'

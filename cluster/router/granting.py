"""What commands on users and roles need: nobody may hand out, take away or look at what lies in another's database.

https://www.mongodb.com/docs/manual/reference/privilege-actions/#database-management-actions
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .access import EVERYTHING, Need
from .errors import CommandError
from .operation import Operation

Needs = Callable[[Operation], Sequence[Need]]


def of_grant(*actions: str, of_roles: str = "grantRole") -> Needs:
    """`actions` on the command's database, and `of_roles` where the roles and the privileges belong that it names."""

    def needs(op: Operation) -> Sequence[Need]:
        databases = [*_databases_of_roles(op), *_databases_of_privileges(op)]
        return [*(Need(action, (op.db, "")) for action in actions), *(Need(of_roles, (db, "")) for db in databases)]

    return needs


def of_replacing(op: Operation) -> Sequence[Need]:
    """Naming roles or privileges anew takes away what was there, wherever that belongs."""
    revoked = [Need("revokeRole", EVERYTHING)] if {"roles", "privileges"} & op.body.keys() else []
    return [*revoked, *of_grant()(op)]


def of_update_user(op: Operation) -> Sequence[Need]:
    """One's own password and data are a right of their own."""
    is_own = op.login.user == (op.body[op.name], op.db)
    own = "Own" if is_own and not op.login.may(Need("changePassword", (op.db, ""))) else ""
    changes = {"pwd": f"change{own}Password", "customData": f"change{own}CustomData"}
    return [*(Need(action, (op.db, "")) for name, action in changes.items() if name in op.body), *of_replacing(op)]


def of_info(action: str) -> Needs:
    """`usersInfo` and `rolesInfo`, of all in a database, of some by name, of everything; of oneself always."""

    def needs(op: Operation) -> Sequence[Need]:
        wanted = op.body[op.name]
        if isinstance(wanted, Mapping) and "forAllDBs" in wanted:
            return [Need(action, EVERYTHING)]
        if isinstance(wanted, int | float):
            return [Need(action, (op.db, ""))]
        named = [_named(op, one, "user") for one in (wanted if isinstance(wanted, list) else [wanted])]
        return [Need(action, (db, "")) for name, db in named if action != "viewUser" or (name, db) != op.login.user]

    return needs


def _databases_of_roles(op: Operation) -> list[str]:
    return [_named(op, role, "role")[1] for role in _listed(op, "roles")]


def _databases_of_privileges(op: Operation) -> Iterable[str]:
    """A privilege on the cluster, or on every database, belongs to `admin`."""
    for privilege in _listed(op, "privileges"):
        resource = privilege.get("resource") if isinstance(privilege, Mapping) else None
        if not isinstance(resource, Mapping):
            raise CommandError("TypeMismatch", f"{op.name}: a privilege needs a resource")
        yield str(resource.get("db") or "admin")


def _listed(op: Operation, field: str) -> list[Any]:
    found = op.body.get(field, [])
    if not isinstance(found, list):
        raise CommandError("TypeMismatch", f"BSON field '{op.name}.{field}' is the wrong type, expected 'array'")
    return found


def _named(op: Operation, value: Any, kind: str) -> tuple[str, str]:
    """A user or role as `(name, database)`: a name alone is one of the command's database."""
    if isinstance(value, str):
        return value, op.db
    if isinstance(value, Mapping) and isinstance(value.get("db"), str):
        return str(value.get(kind)), value["db"]
    raise CommandError("TypeMismatch", f"{op.name}: a {kind} is a name, or a document of its name and db")

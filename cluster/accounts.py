"""Database roles and users: made when missing, corrected when they differ."""

from typing import Any

from .connections import Client
from .roles import ADMIN_DATABASE, Account, Role

MECHANISMS = ["SCRAM-SHA-256"]


def ensure_role(client: Client, role: Role) -> bool:
    """Creates or corrects `role`; whether it had to."""
    wanted = role.definition()
    found = client.admin.command("rolesInfo", {"role": role.name, "db": ADMIN_DATABASE}, showPrivileges=True)["roles"]
    if not found:
        client.admin.command({"createRole": role.name, **wanted})
        return True
    if _comparable(found[0]) == _comparable(wanted):
        return False
    client.admin.command({"updateRole": role.name, **wanted})
    return True


def ensure_account(client: Client, account: Account, password: str) -> bool:
    """Creates `account`, or corrects its roles; whether it had to. The password of one that exists stays."""
    wanted = [{"role": account.role, "db": ADMIN_DATABASE}]
    found = client.admin.command("usersInfo", {"user": account.name, "db": ADMIN_DATABASE})["users"]
    if not found:
        client.admin.command("createUser", account.name, pwd=password, roles=wanted, mechanisms=MECHANISMS)
        return True
    if found[0]["roles"] == wanted:
        return False
    client.admin.command("updateUser", account.name, roles=wanted)
    return True


def _comparable(role: dict[str, Any]) -> tuple[Any, ...]:
    """A role's own privileges and parents, in any order."""
    privileges = frozenset(
        (p["resource"].get("db"), p["resource"].get("collection"), frozenset(p["actions"])) for p in role["privileges"]
    )
    return privileges, frozenset((parent["role"], parent["db"]) for parent in role["roles"])

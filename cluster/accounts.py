"""Database roles and users: made when missing, corrected when they differ."""

from pymongo.errors import OperationFailure

from .access_drift import roles_of, same_role
from .connections import Client
from .roles import ADMIN_DATABASE, Role

MECHANISMS = ["SCRAM-SHA-256"]
# Another command, that runs at the same time, was faster.
USER_EXISTS, ROLE_EXISTS = 51003, 51002
USER_NOT_FOUND = 11


def ensure_role(client: Client, role: Role) -> bool:
    """Creates or corrects `role`; whether it had to."""
    found = client.admin.command("rolesInfo", {"role": role.name, "db": ADMIN_DATABASE}, showPrivileges=True)["roles"]
    if not found:
        return _create(client, {"createRole": role.name, **role.definition()}, ROLE_EXISTS)
    if same_role(found[0], role):
        return False
    client.admin.command({"updateRole": role.name, **role.definition()})
    return True


def ensure_user(client: Client, name: str, role: str, password: str) -> bool:
    """Creates the user, or corrects its roles; whether it had to. The password of one that exists stays."""
    found = client.admin.command("usersInfo", {"user": name, "db": ADMIN_DATABASE})["users"]
    if not found:
        return create_user(client, name, role, password)
    if found[0]["roles"] == roles_of(role):
        return False
    client.admin.command("updateUser", name, roles=roles_of(role))
    return True


def create_user(client: Client, name: str, role: str, password: str, made_by: str | None = None) -> bool:
    """Creates the user unless it exists; whether it did not."""
    note = {"customData": {"madeBy": made_by}} if made_by else {}
    return _create(
        client,
        {"createUser": name, "pwd": password, "roles": roles_of(role), "mechanisms": MECHANISMS, **note},
        USER_EXISTS,
    )


def set_password(client: Client, name: str, role: str, password: str) -> None:
    """The user has this password and role from now on, whether it existed or not."""
    if not create_user(client, name, role, password):
        client.admin.command("updateUser", name, pwd=password, roles=roles_of(role), mechanisms=MECHANISMS)


def _create(client: Client, command: dict[str, object], exists: int) -> bool:
    try:
        client.admin.command(command)
    except OperationFailure as error:
        if error.code != exists:
            raise
        return False
    return True


def drop_user(client: Client, name: str) -> bool:
    """Removes the user; whether it was there."""
    try:
        client.admin.command("dropUser", name)
    except OperationFailure as error:
        if error.code != USER_NOT_FOUND:
            raise
        return False
    return True

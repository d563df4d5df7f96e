"""The first administrator of the API in a cluster: made by the API's own command, as the API's own database user."""

import os
import re
import secrets

from .api_command import run_api_command
from .connections import account_login, uri
from .errors import ClusterError
from .layout import write_private
from .roles import API
from .target import Target


def make_first_admin(target: Target, username: str, email: str | None, password: str | None) -> str:
    """Makes an administrator unless there is one of that name; says what was done, and the password if it chose one.

    Raises:
        ClusterError: the API's login is not here, the name is somebody's, or the password is refused.
    """
    if not (target.secrets.directory / f"{API.name}.password").exists():
        raise ClusterError(
            f"{target.secrets.directory} holds no login of the API: name the right one with --secrets, "
            "or run `scripts/cluster init` first."
        )
    options = ["--username", username]
    options += ["--email", email] if email else []
    options += ["--password-stdin"] if password else []
    return run_api_command("first-admin", *options, environ=_environment(target), said=f"{password or ''}\n")


def _environment(target: Target) -> dict[str, str]:
    """Settings of the API for this cluster. It signs nothing here, and wants a key to start."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MONGODB_", "JWT_KEYS"))}
    inherited.pop("FIRST_ADMIN_PASSWORD", None)
    own = {"MONGODB_DB": target.database, "MONGODB_URI_FILE": _uri_file(target)}
    return {**inherited, **own, "JWT_KEYS": f"none:{secrets.token_hex(32)}"}


def _uri_file(target: Target) -> str:
    """A private file with the API's connection string: arguments and environments can be read by others."""
    path = target.secrets.directory / f"{API.name}.uri"
    write_private(path, _uri(target) + "\n")
    return str(path)


def _uri(target: Target) -> str:
    login = account_login(target.secrets, API)
    if target.cluster is not None:
        return uri(target.cluster.routers_address, login, target.database)
    # The administrator's own connection string, as the API: its addresses and its options stay.
    given = re.sub(
        r"^(mongodb(?:\+srv)?://)(?:[^@/]*@)?", rf"\g<1>{login.username}:{login.password}@", target.uri or ""
    )
    if "authSource=" in given:
        return given
    separator = "&" if "?" in given else "?" if given.count("/") > 2 else "/?"
    return f"{given}{separator}authSource={login.source}"

"""Database users: made, listed, and rotated without a moment in which a service cannot log in.

Each service has two users, `_a` and `_b`. A rotation gives the idle one a new password, makes it the one in use, has
the service's processes change over one by one, and only then drops the other. Until that drop both work.
"""

import re

from . import accounts
from .access_drift import MADE_BY
from .connections import Client, Connections, system_login
from .errors import ClusterError
from .local import LocalCluster
from .progress import Progress
from .roles import ACCOUNT_BY_NAME, ACCOUNTS, GENERATIONS, MONITOR, Account, monitor_role, roles
from .run.changeover import change_over
from .target import Target
from .together import together

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def account_named(name: str) -> Account:
    """The account, also by its short name: `api` for `shardboard_api`.

    Raises:
        ClusterError: there is none; the message names those that there are.
    """
    found = ACCOUNT_BY_NAME.get(name) or ACCOUNT_BY_NAME.get(f"shardboard_{name}")
    if found is None:
        raise ClusterError(f"No service is called {name}: choose {', '.join(ACCOUNT_BY_NAME)}.")
    return found


def create(routers: Client, target: Target, name: str, role: str) -> bool:
    """Makes a user for a person or a tool, with a generated password that lies in the directory of secrets.

    Raises:
        ClusterError: the name is a service's, or no name.
    """
    if not _NAME.fullmatch(name):
        raise ClusterError(f"{name!r} is no user name: use letters, digits, dots, dashes and underscores.")
    if any(name in (account.name, *account.users) for account in ACCOUNTS):
        raise ClusterError(f"{name} belongs to a service: `scripts/cluster check --fix` makes what is missing.")
    if role not in {"root", *(declared.name for declared in roles(target.database))}:
        raise ClusterError(f"{role} is no role of Shardboard: choose one of `scripts/cluster users create --help`.")
    return accounts.create_user(routers, name, role, target.secrets.password(name), MADE_BY)


def rotate(routers: Client, target: Target, account: Account, progress: Progress) -> str:
    """Takes `account` to its other user with a new password; the name of that one.

    May be stopped anywhere and run again: what is in use always works. Where the service's processes are not ours, they
    are left to `retire`.

    Raises:
        ClusterError: a server or a process did not follow; the user before still works.
    """
    secrets = target.secrets
    _finish(routers, target, account, progress)
    before, after = _turn(secrets.generation(account.name))
    user = account.user(after)
    with progress.step(f"give {user} a new password") as outcome:
        secrets.forget_password(user)
        _set_everywhere(routers, target, account, user, secrets.password(user))
        outcome.changed = True
    with progress.step(f"make {user} the one in use") as outcome:
        secrets.use_generation(account.name, after)
        outcome.changed = True
    if target.local is not None:
        _change_over(target.local, progress)
        _retire(routers, target, account, account.user(before), progress)
    return user


def _finish(routers: Client, target: Target, account: Account, progress: Progress) -> None:
    """An idle user that exists may be somebody's login still: it gets no new password before they have changed over."""
    idle = account.user(_turn(target.secrets.generation(account.name))[1])
    if not routers.admin.command("usersInfo", idle)["users"]:
        return
    if target.local is None:
        raise ClusterError(
            f"{idle} still exists: when no process logs in with it any more, run "
            f"`scripts/cluster users retire {account.name}`, then rotate again."
        )
    _change_over(target.local, progress)
    _retire(routers, target, account, idle, progress)


def _change_over(local: LocalCluster, progress: Progress) -> None:
    with progress.step("have the running processes change over") as outcome:
        outcome.changed = change_over(local)


def retire(routers: Client, target: Target, account: Account, progress: Progress) -> str:
    """Drops the user of `account` that is not in use; its name."""
    idle = account.user(_turn(target.secrets.generation(account.name))[1])
    _retire(routers, target, account, idle, progress)
    return idle


def _turn(generation: str) -> tuple[str, str]:
    """The generation in use, and the other one."""
    return generation, next(other for other in GENERATIONS if other != generation)


def _set_everywhere(routers: Client, target: Target, account: Account, user: str, password: str) -> None:
    if account == MONITOR and target.cluster is not None:
        with Connections(system_login(target.secrets)) as members:
            together(lambda s: _set_on_set(members.primary(s), target.database, user, password), target.cluster.sets)
    accounts.set_password(routers, user, account.role, password)


def _set_on_set(primary: Client, database: str, user: str, password: str) -> None:
    accounts.ensure_role(primary, monitor_role(database))
    accounts.set_password(primary, user, MONITOR.role, password)


def _retire(routers: Client, target: Target, account: Account, user: str, progress: Progress) -> None:
    with progress.step(f"drop {user}") as outcome:
        if account == MONITOR and target.cluster is not None:
            with Connections(system_login(target.secrets)) as members:
                together(lambda s: accounts.drop_user(members.primary(s), user), target.cluster.sets)
        # An administrator who drops the user that it came in as has lost its login: come in as the new one.
        with target.routers() as fresh:
            outcome.changed = accounts.drop_user(fresh, user)
        target.secrets.forget_password(user)

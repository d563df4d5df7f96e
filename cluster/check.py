"""`check --fix`: mends the differences that lose nothing and block nobody."""

from pymongo.errors import PyMongoError

from . import accounts
from .access_drift import DEFAULT_CONCERN
from .apply import apply
from .connections import Client, account_login, why
from .drift import Difference
from .errors import ClusterError
from .progress import Progress
from .roles import ACCOUNTS, roles
from .target import Target


def fix(
    routers: Client, target: Target, differences: tuple[Difference, ...], progress: Progress
) -> tuple[Difference, ...]:
    """Mends the safe ones of `differences` and answers them.

    Raises:
        ClusterError: a server refused; what came before stays mended.
    """
    safe = tuple(difference for difference in differences if difference.is_safe)
    for difference in safe:
        with progress.step(f"mend: {difference.says}") as outcome:
            try:
                _mend(routers, target, difference)
            except PyMongoError as error:
                raise ClusterError(f"Not mended, {difference.says} ({why(error)}): run check again.") from error
            outcome.changed = True
    return safe


def _mend(routers: Client, target: Target, difference: Difference) -> None:
    if difference.operations:
        apply(routers, target.database, difference.operations)
    elif difference.kind.endswith("role"):
        role = next(role for role in roles(target.database) if role.name == difference.subject)
        accounts.ensure_role(routers, role)
    elif difference.kind.endswith("user"):
        _mend_user(routers, target, difference.subject)
    else:
        routers.admin.command({"setDefaultRWConcern": 1, **DEFAULT_CONCERN})


def _mend_user(routers: Client, target: Target, user: str) -> None:
    account = next(account for account in ACCOUNTS if user in account.users)
    login = account_login(target.secrets, account)
    password = login.password if user == login.username else target.secrets.password(user)
    accounts.ensure_user(routers, user, account.role, password)

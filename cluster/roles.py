"""Who may do what in the database, declared: roles as least privileges, and the accounts that hold them. Pure data.

People are not database users: they are documents of `users`, and the API decides about them.
https://www.mongodb.com/docs/manual/reference/privilege-actions/
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .collections import AUDIT, COLLECTIONS, FOLLOWERS, MIGRATIONS

READ = ("find",)
# Nobody rewrites history: the trail can be read and added to.
APPEND = ("find", "insert")
WRITE = ("find", "insert", "update", "remove")
WATCH = ("find", "changeStream")

ADMIN_DATABASE = "admin"


@dataclass(frozen=True)
class Privilege:
    """Actions on one collection; the empty collection means every one of the database."""

    database: str
    collection: str
    actions: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """One element of `createRole.privileges`."""
        return {
            "resource": {"db": self.database, "collection": self.collection},
            "actions": sorted(self.actions),
        }


@dataclass(frozen=True)
class Role:
    """A role of the database `admin`; `inherits` are (role, database)."""

    name: str
    privileges: tuple[Privilege, ...] = ()
    inherits: tuple[tuple[str, str], ...] = ()

    def definition(self) -> dict[str, Any]:
        """What `createRole` and `updateRole` take beside the name."""
        return {
            "privileges": [privilege.document() for privilege in self.privileges],
            "roles": [{"role": role, "db": database} for role, database in self.inherits],
        }


# A MongoDB user has one password. So an account has two users, of which one is in use: a rotation makes the other one,
# its clients change over one by one, and the first goes.
GENERATIONS = ("a", "b")


@dataclass(frozen=True)
class Account:
    """Somebody who logs in to `admin` with one role, e.g. `Account("shardboard_api", "shardboard_api")`."""

    name: str
    role: str

    def user(self, generation: str) -> str:
        """The database user of a generation, e.g. `shardboard_api_a`."""
        return f"{self.name}_{generation}"

    @property
    def users(self) -> tuple[str, ...]:
        """The users of both generations."""
        return tuple(self.user(generation) for generation in GENERATIONS)


ADMIN = Account("shardboard_admin", "root")
API = Account("shardboard_api", "shardboard_api")
WORKER = Account("shardboard_worker", "shardboard_worker")
MONITOR = Account("shardboard_monitor", "shardboard_monitor")
ACCOUNTS = (ADMIN, API, WORKER, MONITOR)
ACCOUNT_BY_NAME = {account.name: account for account in ACCOUNTS}


def monitor_role(database: str) -> Role:
    """Sees states, sizes, names and the routing metadata, never a document of the application.

    Routers refuse `replSetGetStatus`, so status asks the members themselves: this role and its account exist on
    every set too.
    """
    names = Privilege(database, "", ("listCollections", "listIndexes"))
    return Role(MONITOR.role, (names,), (("clusterMonitor", "admin"), ("read", "config")))


def roles(database: str) -> tuple[Role, ...]:
    """Every role, for the application's database `database`."""
    of_all = {AUDIT.name: APPEND, MIGRATIONS.name: READ}
    watch_all = Privilege(database, "", WATCH)
    return (
        # Both follow several collections in one change stream, whose order only one stream can tell.
        # How far the audit trail has come is the worker's: whoever could move it on could leave changes out.
        Role(API.role, (*_data_privileges(database, {**of_all, FOLLOWERS.name: READ}), watch_all)),
        Role(WORKER.role, (*_data_privileges(database, of_all), watch_all)),
        monitor_role(database),
    )


def _data_privileges(database: str, special: Mapping[str, tuple[str, ...]]) -> Iterable[Privilege]:
    for collection in COLLECTIONS:
        yield Privilege(database, collection.name, (*special.get(collection.name, WRITE), "changeStream"))

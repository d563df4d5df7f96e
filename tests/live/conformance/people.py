"""Users, roles and the cluster's default concerns."""

from typing import Any

from .row import Absent, admin, ask, fields, has, refused, row, size
from .stage import PLAIN

USER, ROLE, PASSWORD = "conformance_user", "conformance_role", "not a secret"
READ = {"role": "read", "db": "conformance"}
MAY_FIND = {"resource": {"db": "conformance", "collection": PLAIN}, "actions": ["find"]}
MAKE_USER = admin({"createUser": USER, "pwd": PASSWORD, "roles": [READ]})
DROP_USER = admin({"dropUser": USER})
MAKE_ROLE = admin({"createRole": ROLE, "privileges": [MAY_FIND], "roles": []})
DROP_ROLE = admin({"dropRole": ROLE})
DATABASE = "conformance_people"


def user(**expected: Any) -> Any:
    """What `usersInfo` must say of the user."""
    return admin(
        {"usersInfo": USER}, {"users": size(1), **{f"users.0.{name}": value for name, value in expected.items()}}
    )


def role(**expected: Any) -> Any:
    shown = {"rolesInfo": ROLE, "showPrivileges": True}
    return admin(shown, {"roles": size(1), **{f"roles.0.{name}": value for name, value in expected.items()}})


USERS = (
    row(
        "createUser: made, shown, gone",
        MAKE_USER,
        user(user=USER, db="admin", roles=[READ], mechanisms=has("SCRAM-SHA-256"), credentials=Absent),
        DROP_USER,
        admin({"usersInfo": USER}, {"users": []}),
    ),
    row(
        "createUser: once only",
        MAKE_USER,
        admin({"createUser": USER, "pwd": "x", "roles": []}, refused(51003)),
        DROP_USER,
    ),
    row(
        "createUser: bad shapes",
        admin({"createUser": USER, "roles": []}, refused(2)),
        admin({"createUser": USER, "pwd": "x"}, refused(2, 4, 9, 40414)),
        admin({"createUser": USER, "pwd": "x", "roles": ["no such role"]}, refused(31)),
        admin({"createUser": "", "pwd": "x", "roles": []}, refused(2)),
        admin({"createUser": USER, "pwd": "x", "roles": [], "mechanisms": ["ROT13"]}, refused(2)),
        ask({"createUser": USER, "pwd": "x", "roles": []}, refused(20), "local"),
    ),
    row(
        "updateUser: password, data, roles",
        MAKE_USER,
        admin({"updateUser": USER, "pwd": "other", "customData": {"a": 1}, "roles": []}),
        user(customData={"a": 1}, roles=[]),
        DROP_USER,
    ),
    row("updateUser: nobody", admin({"updateUser": USER, "pwd": "x"}, refused(11))),
    row("updateUser: nothing to change", MAKE_USER, admin({"updateUser": USER}, refused(2)), DROP_USER),
    row("dropUser: nobody", admin({"dropUser": USER}, refused(11))),
    row(
        "dropAllUsersFromDatabase: gone",
        ask({"createUser": USER, "pwd": PASSWORD, "roles": []}, {}, DATABASE),
        ask({"dropAllUsersFromDatabase": 1}, {"n": 1}, DATABASE),
    ),
    row(
        "grantRolesToUser: granted",
        MAKE_USER,
        admin({"grantRolesToUser": USER, "roles": [{"role": "readWrite", "db": "x"}]}),
        user(roles=size(2)),
        DROP_USER,
    ),
    row(
        "grantRolesToUser: nobody, or nothing",
        admin({"grantRolesToUser": USER, "roles": [READ]}, refused(11)),
        admin({"grantRolesToUser": USER, "roles": []}, refused(2)),
    ),
    row(
        "revokeRolesFromUser: revoked",
        MAKE_USER,
        admin({"revokeRolesFromUser": USER, "roles": [READ]}),
        user(roles=[]),
        DROP_USER,
    ),
    row(
        "usersInfo: with privileges",
        MAKE_USER,
        admin(
            {"usersInfo": {"user": USER, "db": "admin"}, "showPrivileges": True},
            {"users.0.inheritedPrivileges": fields("resource", "actions"), "users.0.inheritedRoles": fields("role")},
        ),
        DROP_USER,
    ),
    row("usersInfo: all of a database", admin({"usersInfo": 1}, {"users": fields("user", "db", "roles")})),
    row("usersInfo: of every database", admin({"usersInfo": {"forAllDBs": True}}, {"users": fields("user", "db")})),
    row(
        "createRole: made, shown, gone",
        MAKE_ROLE,
        role(role=ROLE, privileges=[MAY_FIND], isBuiltin=False),
        DROP_ROLE,
        admin({"rolesInfo": ROLE}, {"roles": []}),
    ),
    row(
        "createRole: once only",
        MAKE_ROLE,
        admin({"createRole": ROLE, "privileges": [], "roles": []}, refused(51002)),
        DROP_ROLE,
    ),
    row(
        "createRole: bad shapes",
        admin({"createRole": ROLE, "roles": []}, refused(2, 4, 40414)),
        admin(
            {"createRole": ROLE, "privileges": [{"resource": {"cluster": True}, "actions": ["frob"]}], "roles": []},
            refused(2, 9),
        ),
    ),
    row(
        "updateRole: other privileges",
        MAKE_ROLE,
        admin({"updateRole": ROLE, "privileges": [], "roles": [READ]}),
        role(privileges=[], roles=[READ]),
        DROP_ROLE,
    ),
    row("updateRole: no such role", admin({"updateRole": ROLE, "privileges": []}, refused(31))),
    row("dropRole: no such role", admin({"dropRole": ROLE}, refused(31))),
    row(
        "dropAllRolesFromDatabase: gone",
        ask({"createRole": ROLE, "privileges": [], "roles": []}, {}, DATABASE),
        ask({"dropAllRolesFromDatabase": 1}, {"n": 1}, DATABASE),
    ),
    row(
        "grantPrivilegesToRole: granted",
        MAKE_ROLE,
        admin({"grantPrivilegesToRole": ROLE, "privileges": [{**MAY_FIND, "actions": ["insert"]}]}),
        role(privileges=[{**MAY_FIND, "actions": ["find", "insert"]}]),
        DROP_ROLE,
    ),
    row(
        "revokePrivilegesFromRole: revoked",
        MAKE_ROLE,
        admin({"revokePrivilegesFromRole": ROLE, "privileges": [MAY_FIND]}),
        role(privileges=[]),
        DROP_ROLE,
    ),
    row(
        "grantRolesToRole: granted",
        MAKE_ROLE,
        admin({"grantRolesToRole": ROLE, "roles": [READ]}),
        role(roles=[READ]),
        DROP_ROLE,
    ),
    row(
        "revokeRolesFromRole: revoked",
        MAKE_ROLE,
        admin({"grantRolesToRole": ROLE, "roles": [READ]}),
        admin({"revokeRolesFromRole": ROLE, "roles": [READ]}),
        role(roles=[]),
        DROP_ROLE,
    ),
    row(
        "rolesInfo: with those built in",
        admin({"rolesInfo": 1, "showBuiltinRoles": True}, {"roles": fields("role", "db", "isBuiltin")}),
    ),
    row("invalidateUserCache: read anew", admin({"invalidateUserCache": 1})),
)

DEFAULTS = (
    row(
        "getDefaultRWConcern: as it is",
        admin({"getDefaultRWConcern": 1}, {"localUpdateWallClockTime": lambda at: at is not None}),
        admin({"getDefaultRWConcern": 1, "inMemory": True}, {"inMemory": True}),
    ),
    row(
        "setDefaultRWConcern: as it was",
        admin({"getDefaultRWConcern": 1}),
        admin(
            {"setDefaultRWConcern": 1, "defaultReadConcern": {"level": "local"}}, {"defaultReadConcern.level": "local"}
        ),
        admin(lambda a: {"setDefaultRWConcern": 1, "defaultReadConcern": a[0].get("defaultReadConcern") or {}}),
    ),
    row(
        "setDefaultRWConcern: bad shapes",
        admin({"setDefaultRWConcern": 1}, refused(2)),
        admin({"setDefaultRWConcern": 1, "defaultReadConcern": {"level": "snapshot"}}, refused(2)),
        admin({"setDefaultRWConcern": 1, "defaultWriteConcern": {"w": 0}}, refused(2)),
    ),
    row(
        "setDefaultRWConcern: only on admin",
        ask({"setDefaultRWConcern": 1, "defaultReadConcern": {"level": "local"}}, refused(13)),
        ask({"getDefaultRWConcern": 1}, refused(13)),
    ),
    row(
        "setFeatureCompatibilityVersion: an unknown version",
        admin({"setFeatureCompatibilityVersion": "1.0"}, refused(2, 4926900)),
    ),
    row("setFeatureCompatibilityVersion: only on admin", ask({"setFeatureCompatibilityVersion": "1.0"}, refused(13))),
)
ROWS = (*USERS, *DEFAULTS)

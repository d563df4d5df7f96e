"""The commands that the router knows: for each its handler and what a user needs for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import (
    continuing,
    counting,
    explain,
    metadata,
    process,
    ranges,
    reads,
    sessions,
    shapes,
    statistics,
    transactions,
    upkeep,
    writes,
)
from .access import CLUSTER, Need
from .errors import CommandError
from .granting import Needs, of_grant, of_info, of_replacing, of_update_user
from .operation import Operation
from .pipelines import needs_of_pipeline


@dataclass(frozen=True)
class Command:
    """`needs` is None for what may be said before login; `in_transaction` for what may be part of one."""

    run: Callable[[Operation], Mapping[str, Any]]
    needs: Needs | None
    in_transaction: bool = False


def nothing(op: Operation) -> Sequence[Need]:
    """Only a login."""
    return ()


def on_collection(*actions: str) -> Needs:
    return lambda op: [Need(action, (op.db, op.collection)) for action in actions]


def of_view(action: str) -> Needs:
    """`action` on the collection; for a view also what reading through it would need, else it would open any door."""

    def needs(op: Operation) -> Sequence[Need]:
        source = op.body.get("viewOn")
        through = needs_of_pipeline(op.db, str(source), op.body.get("pipeline") or []) if source else []
        return [*on_collection(action)(op), *through]

    return needs


def on_namespace(*actions: str) -> Needs:
    """For commands whose first field is the full `<db>.<collection>`."""

    def needs(op: Operation) -> Sequence[Need]:
        db, _, collection = str(op.body[op.name]).partition(".")
        return [Need(action, (db, collection)) for action in actions]

    return needs


def on_database(*actions: str) -> Needs:
    return lambda op: [Need(action, (op.db, "")) for action in actions]


def on_named_database(action: str) -> Needs:
    """For commands whose first field is a database."""
    return lambda op: [Need(action, (str(op.body[op.name]), ""))]


def on_cluster(*actions: str) -> Needs:
    return lambda op: [Need(action, CLUSTER) for action in actions]


def on_balancer(action: str) -> Needs:
    """The balancer's settings are a document of `config.settings`."""
    return lambda op: [Need(action, ("config", "settings"))]


def of_list_collections(op: Operation) -> Sequence[Need]:
    """A user may list the names of what it may read without the right to list."""
    if op.body.get("nameOnly") and op.body.get("authorizedCollections") and op.login.privileges().touches(op.db):
        return ()
    return [Need("listCollections", (op.db, ""))]


def of_write(op: Operation) -> Sequence[Need]:
    """insert, update, delete."""
    actions = ["remove" if op.name == "delete" else op.name]
    if any(update.get("upsert") for update in op.body.get("updates") or ()):
        actions.append("insert")
    return [Need(action, (op.db, op.collection)) for action in actions] + _of_bypass(op)


def _of_bypass(op: Operation) -> list[Need]:
    """Leaving a validator out is a right of its own."""
    if not op.body.get("bypassDocumentValidation"):
        return []
    return [Need("bypassDocumentValidation", (op.db, op.collection))]


def of_find_and_modify(op: Operation) -> Sequence[Need]:
    actions = ["find", "remove" if op.body.get("remove") else "update"]
    if op.body.get("upsert"):
        actions.append("insert")
    return [Need(action, (op.db, op.collection)) for action in actions] + _of_bypass(op)


def of_aggregate(op: Operation) -> Sequence[Need]:
    collection = op.body["aggregate"] if isinstance(op.body["aggregate"], str) else ""
    bypass = _of_bypass(op) if collection else []
    return needs_of_pipeline(op.db, collection, op.body.get("pipeline")) + bypass


def of_explain(op: Operation) -> Sequence[Need]:
    """As the command that is explained."""
    inner = op.body["explain"]
    if not isinstance(inner, Mapping) or not inner:
        raise CommandError("FailedToParse", "explain needs a command")
    explained = Operation(op.router, {**dict(inner.items()), "$db": op.db}, op.login)
    needs = command_of(explained.name).needs
    shapes.check(explained.body)
    return needs(explained) if needs else ()


def of_rename(op: Operation) -> Sequence[Need]:
    """What copying and dropping would need."""
    source, target = str(op.body[op.name]).partition("."), str(op.body["to"]).partition(".")
    needs = [Need(action, (source[0], source[2])) for action in ("find", "dropCollection")]
    return needs + [Need(action, (target[0], target[2])) for action in ("insert", "createIndex")]


def _balancer(internal: str, action: str) -> Command:
    return Command(metadata.as_configsvr(internal, concern=False), on_balancer(action))


def _of_collection(internal: str) -> Command:
    """What the balancer is to do with one collection, or has done."""
    return Command(metadata.as_configsvr(internal, concern=False), on_namespace("enableSharding"))


def _zone(internal: str) -> Command:
    """Whoever may change `config.shards` may change its zones."""
    return Command(metadata.as_configsvr(internal), lambda op: [Need("update", ("config", "shards"))])


def _users(needs: Needs) -> Command:
    return Command(metadata.user_command, needs)


_hello = Command(process.hello, None)
_find_and_modify = Command(writes.find_and_modify, of_find_and_modify, in_transaction=True)
_move = Command(ranges.move_range, on_namespace("moveChunk"))
_drop_indexes = Command(metadata.on_primary_shard("_shardsvrDropIndexes"), on_collection("dropIndex"))
_collection_stats = Command(statistics.collection_stats, on_collection("collStats"))
_database_stats = Command(statistics.database_stats, on_database("dbStats"))

COMMANDS: dict[str, Command] = {
    # handshake, login, sessions
    "hello": _hello,
    "isMaster": _hello,
    "ismaster": _hello,
    "ping": Command(process.ping, None),
    "buildInfo": Command(process.build_info, None),
    "buildinfo": Command(process.build_info, None),
    "saslStart": Command(process.sasl, None),
    "saslContinue": Command(process.sasl, None),
    "logout": Command(process.logout, nothing),
    "connectionStatus": Command(process.connection_status, None),
    "whatsmyuri": Command(process.whats_my_uri, None),
    "isdbgrid": Command(process.is_db_grid, None),
    "startSession": Command(sessions.start_session, nothing),
    "refreshSessions": Command(sessions.refresh_sessions, nothing),
    "endSessions": Command(sessions.end_sessions, nothing),
    "killSessions": Command(sessions.kill_sessions, nothing),
    "killAllSessions": Command(sessions.kill_sessions, on_cluster("killAnySession")),
    "killAllSessionsByPattern": Command(sessions.kill_sessions, on_cluster("killAnySession")),
    # documents
    "find": Command(reads.find, on_collection("find"), in_transaction=True),
    "aggregate": Command(reads.aggregate, of_aggregate, in_transaction=True),
    "count": Command(counting.count, on_collection("find")),
    "distinct": Command(counting.distinct, on_collection("find"), in_transaction=True),
    "explain": Command(explain.explain, of_explain),
    "getMore": Command(continuing.get_more, nothing, in_transaction=True),
    "killCursors": Command(continuing.kill_cursors, nothing),
    "insert": Command(writes.write, of_write, in_transaction=True),
    "update": Command(writes.write, of_write, in_transaction=True),
    "delete": Command(writes.write, of_write, in_transaction=True),
    "findAndModify": _find_and_modify,
    "findandmodify": _find_and_modify,
    "commitTransaction": Command(transactions.commit, nothing),
    "abortTransaction": Command(transactions.abort, nothing),
    # collections and indexes
    "listDatabases": Command(metadata.list_databases, nothing),
    "listCollections": Command(metadata.list_collections, of_list_collections),
    "listIndexes": Command(metadata.list_indexes, on_collection("listIndexes")),
    "create": Command(metadata.create, of_view("createCollection")),
    "createIndexes": Command(metadata.create_indexes, on_collection("createIndex")),
    "dropIndexes": _drop_indexes,
    "deleteIndexes": _drop_indexes,
    "collMod": Command(metadata.on_primary_shard("_shardsvrCollMod"), of_view("collMod")),
    "drop": Command(metadata.on_primary_shard("_shardsvrDropCollection"), on_collection("dropCollection")),
    "dropDatabase": Command(metadata.drop_database, on_database("dropDatabase")),
    "renameCollection": Command(upkeep.rename_collection, of_rename),
    "collStats": _collection_stats,
    "collstats": _collection_stats,
    "dbStats": _database_stats,
    "dbstats": _database_stats,
    "dataSize": Command(upkeep.data_size, on_namespace("find")),
    "planCacheClear": Command(upkeep.on_owners, on_collection("planCacheWrite")),
    "validate": Command(statistics.validate, on_collection("validate")),
    # shards and ranges
    "addShard": Command(metadata.add_shard, on_cluster("addShard")),
    "addshard": Command(metadata.add_shard, on_cluster("addShard")),
    "removeShard": Command(metadata.remove_shard, on_cluster("removeShard")),
    "listShards": Command(metadata.list_shards, on_cluster("listShards")),
    "getShardMap": Command(metadata.get_shard_map, on_cluster("getShardMap")),
    "flushRouterConfig": Command(metadata.flush_router_config, on_cluster("flushRouterConfig")),
    "enableSharding": Command(metadata.enable_sharding, on_named_database("enableSharding")),
    "movePrimary": Command(metadata.move_primary, on_named_database("moveChunk")),
    "shardCollection": Command(metadata.shard_collection, on_namespace("enableSharding")),
    "reshardCollection": Command(metadata.as_configsvr("_configsvrReshardCollection"),
                                 on_namespace("reshardCollection")),
    "refineCollectionShardKey": Command(ranges.refine_shard_key, on_namespace("refineCollectionShardKey")),
    "split": Command(ranges.split, on_namespace("splitChunk")),
    "mergeChunks": Command(upkeep.merge_chunks, on_namespace("splitChunk")),
    "clearJumboFlag": Command(upkeep.clear_jumbo_flag, on_namespace("clearJumboFlag")),
    "getShardVersion": Command(upkeep.get_shard_version, on_namespace("getShardVersion")),
    "moveRange": _move,
    "moveChunk": _move,
    "configureCollectionBalancing": _of_collection("_configsvrConfigureCollectionBalancing"),
    "balancerCollectionStatus": _of_collection("_configsvrBalancerCollectionStatus"),
    "balancerStart": _balancer("_configsvrBalancerStart", "update"),
    "balancerStop": _balancer("_configsvrBalancerStop", "update"),
    "balancerStatus": _balancer("_configsvrBalancerStatus", "find"),
    "addShardToZone": _zone("_configsvrAddShardToZone"),
    "removeShardFromZone": _zone("_configsvrRemoveShardFromZone"),
    "updateZoneKeyRange": Command(metadata.as_configsvr("_configsvrUpdateZoneKeyRange"),
                                  on_namespace("enableSharding")),
    # users, roles, settings
    "createUser": _users(of_grant("createUser")),
    "updateUser": _users(of_update_user),
    "dropUser": _users(on_database("dropUser")),
    "dropAllUsersFromDatabase": _users(on_database("dropUser")),
    "grantRolesToUser": _users(of_grant()),
    "revokeRolesFromUser": _users(of_grant(of_roles="revokeRole")),
    "createRole": _users(of_grant("createRole")),
    "updateRole": _users(of_replacing),
    "dropRole": _users(on_database("dropRole")),
    "dropAllRolesFromDatabase": _users(on_database("dropRole")),
    "grantPrivilegesToRole": _users(of_grant()),
    "revokePrivilegesFromRole": _users(of_grant(of_roles="revokeRole")),
    "grantRolesToRole": _users(of_grant()),
    "revokeRolesFromRole": _users(of_grant(of_roles="revokeRole")),
    "usersInfo": Command(metadata.on_config, of_info("viewUser")),
    "rolesInfo": Command(metadata.on_config, of_info("viewRole")),
    "invalidateUserCache": Command(metadata.invalidate_user_cache, on_cluster("invalidateUserCache")),
    "setDefaultRWConcern": Command(metadata.set_default_rw_concern, on_cluster("setDefaultRWConcern")),
    "getDefaultRWConcern": Command(metadata.on_config, on_cluster("getDefaultRWConcern")),
    "setFeatureCompatibilityVersion": Command(metadata.on_config, on_cluster("setFeatureCompatibilityVersion")),
    # the router itself
    "serverStatus": Command(process.server_status, on_cluster("serverStatus")),
    "connPoolStats": Command(process.conn_pool_stats, on_cluster("connPoolStats")),
    "hostInfo": Command(process.host_info, on_cluster("hostInfo")),
    "getParameter": Command(process.get_parameter, on_cluster("getParameter")),
    "setParameter": Command(upkeep.set_parameter, on_cluster("setParameter")),
    "listCommands": Command(upkeep.list_commands, None),
    "currentOp": Command(upkeep.current_op, on_cluster("inprog")),
    "killOp": Command(upkeep.kill_op, on_cluster("killop")),
    "getCmdLineOpts": Command(process.get_cmd_line_opts, on_cluster("getCmdLineOpts")),
    "getLog": Command(process.get_log, on_cluster("getLog")),
    "replSetGetStatus": Command(process.refuse_repl_set_status, nothing),
    "configureFailPoint": Command(process.configure_fail_point, None),
}  # fmt: skip


ADMIN_ONLY = {
    "listDatabases", "renameCollection", "addShard", "addshard", "removeShard", "listShards", "getShardMap",
    "flushRouterConfig", "enableSharding", "movePrimary", "shardCollection", "reshardCollection",
    "refineCollectionShardKey", "split", "mergeChunks", "clearJumboFlag", "moveRange", "moveChunk",
    "configureCollectionBalancing", "balancerCollectionStatus", "balancerStart", "balancerStop", "balancerStatus",
    "addShardToZone", "removeShardFromZone", "updateZoneKeyRange", "setDefaultRWConcern", "getDefaultRWConcern",
    "setFeatureCompatibilityVersion", "getParameter", "setParameter", "getCmdLineOpts", "getLog", "currentOp", "killOp",
    "replSetGetStatus", "configureFailPoint",
}  # fmt: skip


def command_of(name: str) -> Command:
    """The command of a name. Raises: CommandError CommandNotFound."""
    try:
        return COMMANDS[name]
    except KeyError:
        raise CommandError("CommandNotFound", f"no such command: '{name}'") from None


def run(op: Operation) -> Mapping[str, Any]:
    """Check what the user may do, join the transaction if there is one, run the handler.

    Raises: CommandError, MemberError.
    """
    command = command_of(op.name)
    if op.db == "local":
        raise CommandError("IllegalOperation", "Can't use 'local' database through mongos")
    if command.needs is not None and op.login.user is None:
        op.login.require(op.name, op.db, ())
    if op.name in ADMIN_ONLY and op.db != "admin":
        raise CommandError("Unauthorized", f"{op.name} may only be run against the admin database.")
    shapes.check(op.body)
    if command.needs is not None:
        op.login.require(op.name, op.db, command.needs(op))
    if op.body.get("autocommit") is False and op.name not in ("commitTransaction", "abortTransaction"):
        if not command.in_transaction:
            raise CommandError(
                "OperationNotSupportedInTransaction", f"Cannot run '{op.name}' in a multi-document transaction."
            )
        op.transaction = op.router.transactions.begin_or_continue(op)
    return command.run(op)

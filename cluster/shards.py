"""The shards of a cluster: added unless they are, refused when they are somebody else's."""

from pymongo.errors import OperationFailure

from .connections import Client, Connections, why
from .errors import ClusterError
from .survey import OWN_DATABASES
from .topology import Cluster, ReplicaSet
from .wait import NotReady, wait_until

# Fresh sets may still be electing or copying when the first shard is added.
ADD_SHARD_TIMEOUT_S = 60
# HostUnreachable, FailedToSatisfyReadPreference, NetworkTimeout, PrimarySteppedDown, NotWritablePrimary: the set is
# between two states. https://www.mongodb.com/docs/manual/reference/error-codes/
NOT_YET_CODES = frozenset({6, 89, 133, 189, 10107})


def ensure_shards(routers: Client, cluster: Cluster, connections: Connections) -> bool:
    """Adds the shards that the cluster does not have yet; `connections` are the members' own.

    Raises:
        ClusterError: a shard belongs to another cluster, or holds data that this one does not know.
        WaitTimeout: the cluster could not reach it within a minute.
    """
    present = {shard["_id"] for shard in routers.admin.command("listShards")["shards"]}
    missing = [shard for shard in cluster.shards if shard.name not in present]
    for shard in missing:
        require_free(connections.primary(shard), shard, _cluster_id(connections.primary(cluster.config_set)))
        add_shard(routers, shard)
    return bool(missing)


def _cluster_id(config: Client) -> object:
    return (config["config"]["version"].find_one({}) or {}).get("clusterId")


def require_free(primary: Client, shard: ReplicaSet, cluster_id: object) -> None:
    """Raises ClusterError when the set is a shard of another cluster, or when it holds documents of its own."""
    identity = primary["admin"]["system.version"].find_one({"_id": "shardIdentity"})
    if identity is not None and identity.get("clusterId") != cluster_id:
        raise ClusterError(
            f"{shard.name} at {shard.seed} belongs to the cluster of {identity['configsvrConnectionString']} already: "
            "remove it there first, or start its members with an empty --dbpath."
        )
    databases = sorted(set(primary.list_database_names()) - OWN_DATABASES)
    if databases and identity is None:
        raise ClusterError(
            f"{shard.name} at {shard.seed} holds the databases {', '.join(databases)} of its own: copy what is needed "
            "(mongodump) and drop them there, or start its members with an empty --dbpath."
        )


def add_shard(routers: Client, shard: ReplicaSet) -> None:
    """Adds one shard.

    Raises:
        WaitTimeout: the cluster could not reach it within a minute.
        OperationFailure: it was refused.
    """

    def probe() -> None:
        try:
            routers.admin.command("addShard", shard.seed, name=shard.name)
        except OperationFailure as error:
            if not error.has_error_label("RetryableWriteError") and error.code not in NOT_YET_CODES:
                raise
            raise NotReady(why(error)) from error

    wait_until(f"{shard.name} to be added", probe, ADD_SHARD_TIMEOUT_S)

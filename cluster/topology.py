"""What a cluster is made of: replica sets, their members and the routers. Pure, frozen data; nothing here acts.

`plan_local` lays out a cluster of processes on this machine; `Cluster` serves containers and given hosts as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .errors import ClusterError

Role = Literal["configsvr", "shardsvr"]

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 27017
# Both are the server's own: short enough for real failover, long enough not to elect on a busy laptop.
DEFAULT_ELECTION_TIMEOUT_MS = 10_000
DEFAULT_SHARDS = 2
DEFAULT_MEMBERS = 3
DEFAULT_ROUTERS = 2

MOST_SHARDS = 20
# A replica set has at most seven voting members, and an even number buys nothing.
MEMBER_CHOICES = (1, 3, 5, 7)


@dataclass(frozen=True)
class Member:
    """One mongod, e.g. `Member("shard-1-a", "127.0.0.1", 27023, "shardsvr", "shard-1")`."""

    name: str
    host: str
    port: int
    role: Role
    set_name: str

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Router:
    """One mongos, or its stand-in."""

    name: str
    host: str
    port: int

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


Node = Member | Router


@dataclass(frozen=True)
class ReplicaSet:
    """The config set or one shard."""

    name: str
    role: Role
    members: tuple[Member, ...]

    @property
    def seed(self) -> str:
        """What `addShard` and `--configdb` take, e.g. `shard-1/127.0.0.1:27023,127.0.0.1:27024`."""
        return f"{self.name}/" + ",".join(member.address for member in self.members)

    def config(self, election_timeout_ms: int) -> dict[str, Any]:
        """The document for `replSetInitiate`.

        https://www.mongodb.com/docs/manual/reference/replica-configuration/
        """
        document: dict[str, Any] = {
            "_id": self.name,
            "members": [{"_id": i, "host": member.address} for i, member in enumerate(self.members)],
            "settings": {"electionTimeoutMillis": election_timeout_ms, "chainingAllowed": True},
        }
        if self.role == "configsvr":
            document["configsvr"] = True
        return document


@dataclass(frozen=True)
class Cluster:
    """A config set, shards and routers. With `tls` they speak nothing else, to each other and to clients."""

    config_set: ReplicaSet
    shards: tuple[ReplicaSet, ...]
    routers: tuple[Router, ...]
    election_timeout_ms: int = DEFAULT_ELECTION_TIMEOUT_MS
    tls: bool = False

    @property
    def sets(self) -> tuple[ReplicaSet, ...]:
        """The config set, then the shards."""
        return (self.config_set, *self.shards)

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(member for replica_set in self.sets for member in replica_set.members)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (*self.members, *self.routers)

    def node(self, name: str) -> Node:
        """The member or router called `name`.

        Raises:
            KeyError: there is none.
        """
        return {node.name: node for node in self.nodes}[name]

    def replica_set(self, name: str) -> ReplicaSet:
        """The config set or the shard called `name`.

        Raises:
            KeyError: there is none.
        """
        return {replica_set.name: replica_set for replica_set in self.sets}[name]

    @property
    def routers_address(self) -> str:
        """Every router, as a connection string lists them."""
        return ",".join(router.address for router in self.routers)


@dataclass(frozen=True)
class Shape:
    """How large a local cluster is: what `--shards`, `--members` and `--routers` say.

    Raises:
        ClusterError: a number is out of range; the message names it.
    """

    shards: int = DEFAULT_SHARDS
    members: int = DEFAULT_MEMBERS
    routers: int = DEFAULT_ROUTERS
    election_timeout_ms: int = DEFAULT_ELECTION_TIMEOUT_MS

    def __post_init__(self) -> None:
        if not 1 <= self.shards <= MOST_SHARDS:
            raise ClusterError(f"{self.shards} shards are not possible here: choose 1 to {MOST_SHARDS}.")
        if self.members not in MEMBER_CHOICES:
            raise ClusterError(f"{self.members} members a set are not possible here: choose 1, 3, 5 or 7.")
        if not 1 <= self.routers <= 4:
            raise ClusterError(f"{self.routers} routers are not possible here: choose 1 to 4.")
        if not 500 <= self.election_timeout_ms <= 60_000:
            raise ClusterError("The election timeout must lie between 500 and 60000 milliseconds.")

    @classmethod
    def wished(cls, wishes: Mapping[str, int]) -> "Shape":
        """The default shape but for `wishes`, e.g. `{"members": 1}`."""
        return cls(**wishes)

    def of(self, name: str) -> int:
        """The field called `name`."""
        return int(getattr(self, name))

    @property
    def member_count(self) -> int:
        return (1 + self.shards) * self.members

    @property
    def port_count(self) -> int:
        return self.routers + self.member_count


def shape_of(cluster: Cluster) -> Shape:
    return Shape(
        len(cluster.shards), len(cluster.config_set.members), len(cluster.routers), cluster.election_timeout_ms
    )


def plan_local(shape: Shape, first_port: int) -> Cluster:
    """A cluster of processes on `shape.port_count` ports: routers first, then the config set, then the shards."""
    ports = iter(range(first_port, first_port + shape.port_count))
    routers = tuple(Router(f"router-{i + 1}", LOOPBACK, next(ports)) for i in range(shape.routers))
    config_set = _plan_set("config", "configsvr", shape.members, ports)
    shards = tuple(_plan_set(f"shard-{i + 1}", "shardsvr", shape.members, ports) for i in range(shape.shards))
    return Cluster(config_set, shards, routers, shape.election_timeout_ms)


def _plan_set(name: str, role: Role, members: int, ports: Iterator[int]) -> ReplicaSet:
    letters = "abcdefg"[:members]
    return ReplicaSet(name, role, tuple(Member(f"{name}-{x}", LOOPBACK, next(ports), role, name) for x in letters))

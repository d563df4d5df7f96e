"""What answers at the address of a member, and why it cannot be taken into the cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pymongo.errors import ConnectionFailure, OperationFailure, ProtocolError, PyMongoError

from .connections import Client, Connections, why
from .errors import ClusterError
from .topology import Member, Node
from .wait import NotReady, WaitTimeout, wait_until

# After a crash a member replays its journal first; on a loaded machine with nine of them that takes a while.
REACHABLE_TIMEOUT_S = 60.0
ANONYMOUS_TIMEOUT_MS = 1_000
AUTHENTICATION_FAILED = 18
OWN_DATABASES = frozenset({"admin", "config", "local"})

Check = Callable[[Node], None]


def no_check(node: Node) -> None:
    """For nodes that run elsewhere: whether their processes live cannot be seen."""


class State(Enum):
    """What a member is found to be."""

    STRANGER = "no mongod"
    OTHER_KEY = "another keyfile"
    ROUTER = "a router"
    STANDALONE = "a standalone"
    FRESH = "not initiated"
    MEMBER = "member of a set"


@dataclass(frozen=True)
class Finding:
    """One answer. `role` and `set_name` are what the process was started with, or the set that it belongs to."""

    state: State
    set_name: str | None = None
    role: str | None = None
    own_address: str | None = None
    databases: tuple[str, ...] = ()
    has_data: bool = False

    def refusal(self, member: Member) -> str | None:
        """Why this may not become `member`, in one sentence with its remedy; None when it may."""
        at = f"{member.name} at {member.address}"
        start = f"--{member.role} --replSet {member.set_name}"
        if self.state is State.STRANGER:
            return f"What answers at {member.address}, meant for {member.name}, is no mongod: correct the address."
        if self.state is State.OTHER_KEY:
            return f"{at} does not take this cluster's keyfile: give every node the same one, and restart it."
        if self.state is State.ROUTER:
            return f"What answers at {member.address}, meant for {member.name}, is a router: correct the address."
        if self.state is State.STANDALONE:
            data = f" that holds the databases {', '.join(self.databases)}" if self.databases else ""
            return (
                f"{at} is a standalone mongod{data}: copy what is needed (mongodump), "
                f"then start it with {start}, the keyfile and an empty --dbpath."
            )
        return self._of_set(member, at, start)

    def _of_set(self, member: Member, at: str, start: str) -> str | None:
        if self.role is not None and self.role != member.role:
            return f"{at} was started as a {self.role}: start it with {start}."
        if self.set_name != member.set_name:
            return f"{at} belongs to the set {self.set_name}, not to {member.set_name}: correct the address or {start}."
        if self.has_data:
            return (
                f"{at} was never in a set and holds data: copy what is needed (mongodump), "
                "then start it with an empty --dbpath."
            )
        if self.own_address not in (None, member.address):
            return (
                f"{at} is known to its set as {self.own_address}: name every member by the address that its set uses."
            )
        return None


def require_usable(
    connections: Connections, member: Member, check: Check = no_check, wait_s: float = REACHABLE_TIMEOUT_S
) -> None:
    """Returns when what answers may become, or is, `member`.

    `check` raises when waiting is in vain.

    Raises:
        ClusterError: nothing answers within `wait_s` seconds, or what does must not be taken.
    """

    def probe() -> Finding:
        check(member)
        return look(connections, member)

    try:
        finding = wait_until(f"{member.name} at {member.address}", probe, wait_s)
    except WaitTimeout as error:
        raise ClusterError(
            f"{member.name} at {member.address} did not answer within {wait_s:g} s ({error.last_seen}): "
            "start its mongod, and let this machine reach its port."
        ) from error
    refusal = finding.refusal(member)
    if refusal:
        raise ClusterError(refusal)


def look(connections: Connections, member: Member) -> Finding:
    """What is there. `connections` log in with the keyfile.

    Raises:
        NotReady: nothing answers.
        ClusterError: it does, and TLS is in the way.
    """
    client = connections.member(member)
    try:
        hello = client.admin.command("hello")
    except OperationFailure as error:
        return _without_login(connections, member, error)
    except (ConnectionFailure, ProtocolError) as error:
        require_trust(member, error)
        if isinstance(error, ProtocolError) or isinstance(_last_error(client), ProtocolError):
            return Finding(State.STRANGER)
        raise NotReady(_reason(client, error)) from error
    return _judge(client, hello)


def require_trust(node: Node, error: PyMongoError) -> None:
    """Raises ClusterError when `error` is one of certificates, which no waiting mends."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        raise ClusterError(f"{node.name} is not trusted: {why(error)}.") from error


def _without_login(connections: Connections, member: Member, refused: OperationFailure) -> Finding:
    """What says hello to everybody and refuses the keyfile's login."""
    with connections.anonymous(member, ANONYMOUS_TIMEOUT_MS) as client:
        hello = client.admin.command("hello")
        if hello.get("msg") == "isdbgrid":
            return Finding(State.ROUTER)
        if not (hello.get("setName") or hello.get("isreplicaset")):
            return _standalone(client)
    if refused.code != AUTHENTICATION_FAILED:
        raise refused
    return Finding(State.OTHER_KEY)


def _judge(client: Client, hello: dict[str, Any]) -> Finding:
    if hello.get("msg") == "isdbgrid":
        return Finding(State.ROUTER)
    if hello.get("setName"):
        return Finding(State.MEMBER, hello["setName"], own_address=hello.get("me"))
    if not hello.get("isreplicaset"):
        return _standalone(client)
    started = client.admin.command("getCmdLineOpts")["parsed"]
    replication, role = started.get("replication", {}), started.get("sharding", {}).get("clusterRole")
    name = replication.get("replSet") or replication.get("replSetName")
    # Known since 5.1; before, what a shard holds is seen when it is added.
    catalog = client.admin.command("serverStatus").get("catalogStats", {})
    return Finding(State.FRESH, name, role or "mongod of no cluster", has_data=bool(catalog.get("collections")))


def _standalone(client: Client) -> Finding:
    """With its databases, where it tells them."""
    try:
        names = client.list_database_names()
    except PyMongoError:
        names = []
    return Finding(State.STANDALONE, databases=tuple(sorted(set(names) - OWN_DATABASES)))


def _last_error(client: Client) -> Exception | None:
    return next((found.error for found in client.topology_description.server_descriptions().values()), None)


def _reason(client: Client, error: PyMongoError) -> str:
    """Nothing listens, or something listens and is silent, or wants TLS."""
    text = why(error)
    if "connection closed" in text:
        return f"{text}: it may demand TLS, or a certificate of another authority"
    return f"it takes connections and says nothing: {text}" if "timed out" in text else text

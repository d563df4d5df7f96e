"""One replica set: reach its members, initiate it, wait for its primary."""

from typing import Any

from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from .connections import Client, Connections, why
from .errors import ClusterError
from .survey import AUTHENTICATION_FAILED, REACHABLE_TIMEOUT_S, Check, no_check, require_trust, require_usable
from .together import together
from .topology import Member, Node, ReplicaSet
from .wait import NotReady, wait_until

# An election takes the election timeout and a few seconds; a restart elects only once members have seen each other.
PRIMARY_TIMEOUT_S = 90
# AlreadyInitialized, ConfigurationInProgress: another command was faster.
INITIATED_CODES = frozenset({23, 109})
PRIMARY = "primary"


def wait_reachable(
    client: Client, node: Node, check: Check = no_check, wait_s: float = REACHABLE_TIMEOUT_S
) -> dict[str, Any]:
    """The first answer to `hello`.

    `check` raises when waiting is in vain.

    Raises:
        WaitTimeout: no answer within `wait_s` seconds.
        ClusterError: it refuses the login, or its certificate is not to be trusted.
    """

    def probe() -> dict[str, Any]:
        check(node)
        try:
            return client.admin.command("hello")
        except ConnectionFailure as error:
            require_trust(node, error)
            raise NotReady(why(error)) from error

    try:
        return wait_until(f"{node.name} at {node.address}", probe, wait_s)
    except OperationFailure as error:
        if error.code != AUTHENTICATION_FAILED:
            raise
        raise ClusterError(
            f"{node.name} at {node.address} refuses the login: give it this cluster's keyfile, and keep the passwords "
            "that the cluster was made with."
        ) from error


def ensure_set(
    replica_set: ReplicaSet,
    connections: Connections,
    election_timeout_ms: int,
    check: Check = no_check,
    wait_s: float = REACHABLE_TIMEOUT_S,
) -> bool:
    """Looks at every member, initiates the set unless it is, and waits for its primary; whether it initiated it.

    Raises:
        ClusterError: a member does not answer, is not what it must be, or none is elected.
    """
    # A set must not be initiated before every member answers.
    together(lambda m: require_usable(connections, m, check, wait_s), replica_set.members)
    initiated = ensure_initiated(replica_set, connections, election_timeout_ms)
    wait_primary(replica_set, connections)
    return initiated


def ensure_initiated(replica_set: ReplicaSet, connections: Connections, election_timeout_ms: int) -> bool:
    """Initiates the set unless one of its members belongs to it already; whether it did.

    Raises:
        ClusterError: a member belongs to another set.
    """
    names = {member.address: _set_name(connections, member) for member in replica_set.members}
    for address, name in names.items():
        if name not in (None, replica_set.name):
            raise ClusterError(f"{address} belongs to the set {name}, not to {replica_set.name}: check the ports.")
    if any(names.values()):
        return False
    return _initiate(connections.member(replica_set.members[0]), replica_set.config(election_timeout_ms))


def _set_name(connections: Connections, member: Member) -> str | None:
    name = connections.member(member).admin.command("hello").get("setName")
    return str(name) if name else None


def _initiate(first: Client, config: dict[str, Any]) -> bool:
    try:
        first.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code not in INITIATED_CODES:
            raise
        return False
    return True


def wait_primary(replica_set: ReplicaSet, connections: Connections) -> Member:
    """The set's primary.

    While there is none, members are asked in turn to stand for election: a fresh set would wait for a whole election
    timeout first. A member that is behind loses such an election, so nothing can be lost by asking.

    Raises:
        WaitTimeout: none was elected in 90 seconds.
    """
    asked = 0

    def probe() -> Member:
        nonlocal asked
        states = _states(replica_set, connections)
        for member, state in states.items():
            if state == PRIMARY:
                return member
        _ask_to_stand(connections.member(replica_set.members[asked % len(replica_set.members)]))
        asked += 1
        raise NotReady(", ".join(f"{member.name} is {state}" for member, state in states.items()))

    return wait_until(f"a primary of {replica_set.name}", probe, PRIMARY_TIMEOUT_S)


def primary_of(replica_set: ReplicaSet, connections: Connections) -> Member | None:
    """The member that says it is primary now; None when none does."""
    states = _states(replica_set, connections)
    return next((member for member, state in states.items() if state == PRIMARY), None)


def _states(replica_set: ReplicaSet, connections: Connections) -> dict[Member, str]:
    """Asked side by side: a frozen member answers none of them later than itself."""
    states = together(lambda member: _state(connections, member), replica_set.members)
    return dict(zip(replica_set.members, states, strict=True))


def _state(connections: Connections, member: Member) -> str:
    try:
        hello = connections.member(member).admin.command("hello")
    except PyMongoError as error:
        return f"not answering ({type(error).__name__})"
    if hello.get("isWritablePrimary"):
        return PRIMARY
    return "secondary" if hello.get("secondary") else "starting"


def _ask_to_stand(client: Client) -> None:
    try:
        client.admin.command("replSetStepUp", 1)
    except PyMongoError:
        # Refused while the others have not heard of the set, or have newer data: the wait goes on and asks the next.
        return

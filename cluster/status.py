"""What a cluster looks like at one moment: an immutable picture that judges itself.

`cluster.observe` takes it; nothing here talks to a server.
"""

from collections.abc import Iterator
from dataclasses import dataclass

# A member that far behind misses what a minute of work wrote; a healthy local one is within a second.
MOST_LAG_S = 30.0
HEALTHY_STATES = ("PRIMARY", "SECONDARY")
DOWN = "DOWN"
# Time for a renewal that nobody hurries.
LEAST_CERTIFICATE_DAYS = 30
# Only the routers could be asked.
UNSEEN = "NOT ASKED"


def certificate_problem(name: str, days: int | None) -> str | None:
    """Why the certificate of a node is one to act on."""
    if days is None or days >= LEAST_CERTIFICATE_DAYS:
        return None
    return f"The certificate of {name} ends in {days} days: run `scripts/cluster secrets --tls`, then restart it."


@dataclass(frozen=True)
class MemberStatus:
    """One mongod. `state` is the server's word for it, or DOWN; `error` says why it could not be asked.

    `certificate_days` is how long its certificate is still valid; None without TLS.
    """

    name: str
    address: str
    state: str
    version: str | None = None
    uptime_s: int | None = None
    lag_s: float | None = None
    error: str | None = None
    certificate_days: int | None = None

    def problem(self) -> str | None:
        if self.error is not None:
            return f"{self.name} at {self.address} does not answer: {self.error}."
        if self.state not in (*HEALTHY_STATES, UNSEEN):
            return f"{self.name} at {self.address} is {self.state}."
        if self.lag_s is not None and self.lag_s > MOST_LAG_S:
            return f"{self.name} at {self.address} is {self.lag_s:.0f} s behind its primary."
        return certificate_problem(self.name, self.certificate_days)


@dataclass(frozen=True)
class SetStatus:
    """The config set or a shard."""

    name: str
    members: tuple[MemberStatus, ...]

    @property
    def primary(self) -> MemberStatus | None:
        return next((member for member in self.members if member.state == "PRIMARY"), None)

    def problems(self) -> Iterator[str]:
        if self.primary is None and not all(member.state == UNSEEN for member in self.members):
            yield f"{self.name} has no primary: it takes no writes."
        yield from filter(None, (member.problem() for member in self.members))


@dataclass(frozen=True)
class RouterStatus:
    """One router; `is_stand_in` where it is not MongoDB's own."""

    name: str
    address: str
    version: str | None = None
    is_stand_in: bool = False
    error: str | None = None
    certificate_days: int | None = None

    def problem(self) -> str | None:
        if self.error is not None:
            return f"{self.name} at {self.address} does not answer: {self.error}."
        return certificate_problem(self.name, self.certificate_days)

    @property
    def kind(self) -> str:
        """`mongos 6.0.5` or `stand-in`."""
        return "stand-in" if self.is_stand_in else f"mongos {self.version}"


@dataclass(frozen=True)
class Holding:
    """What one shard holds of a collection: its ranges, and the documents and bytes in them (None: it did not say)."""

    shard: str
    chunks: int
    documents: int | None
    size_bytes: int | None


@dataclass(frozen=True)
class CollectionStatus:
    """One collection of the application and where it lies. `documents` leave out those that a move left behind."""

    name: str
    is_sharded: bool
    holdings: tuple[Holding, ...]

    @property
    def documents(self) -> int | None:
        """None when a shard did not say."""
        counts = [holding.documents for holding in self.holdings if holding.documents is not None]
        return sum(counts) if len(counts) == len(self.holdings) else None

    @property
    def skew(self) -> float | None:
        """The fullest shard's documents over an even share: 1.0 is even, 2.0 is twice its share; None when empty."""
        if not self.documents:
            return None
        return max(holding.documents or 0 for holding in self.holdings) * len(self.holdings) / self.documents


@dataclass(frozen=True)
class Zone:
    """A zone: the shards that it keeps ranges on, and how many ranges of which collections those are."""

    name: str
    shards: tuple[str, ...]
    ranges: tuple[tuple[str, int], ...]

    def problem(self) -> str | None:
        if self.shards or not self.ranges:
            return None
        return f"The zone {self.name} has ranges and no shard: give it one with `sh.addShardToZone`."


@dataclass(frozen=True)
class Move:
    """A range on its way, or a collection that is being resharded (`target` is then None)."""

    collection: str
    source: str
    target: str | None

    def __str__(self) -> str:
        where = f"from {self.source} to {self.target}" if self.target else f"is resharded, {self.source} takes part"
        return f"{self.collection} {where}"


@dataclass(frozen=True)
class UserStatus:
    """A database user that can log in. `is_in_use`: its service logs in as this one of its two users."""

    name: str
    roles: tuple[str, ...]
    is_in_use: bool


@dataclass(frozen=True)
class Access:
    """What an administrator sees beside: users, declared ones that are missing, migrations that wait."""

    users: tuple[UserStatus, ...] = ()
    missing_users: tuple[str, ...] = ()
    pending_migrations: tuple[str, ...] = ()

    def problems(self) -> Iterator[str]:
        for name in self.missing_users:
            yield f"The user {name} does not exist: run `scripts/cluster check --fix`."

    def notices(self) -> Iterator[str]:
        if self.pending_migrations:
            names = ", ".join(self.pending_migrations)
            yield f"Not applied yet: {names}: run `scripts/cluster migrate upgrade`."


@dataclass(frozen=True)
class Routing:
    """What only a router knows. `missing` are declared shards and collections that the cluster does not have."""

    shards: tuple[str, ...]
    draining: tuple[str, ...]
    missing_shards: tuple[str, ...]
    missing_collections: tuple[str, ...]
    collections: tuple[CollectionStatus, ...]
    balancer_on: bool
    balancer_busy: bool = False
    balancer_window: str | None = None
    zones: tuple[Zone, ...] = ()

    def problems(self) -> Iterator[str]:
        for shard in self.missing_shards:
            yield f"{shard} has not been added to the cluster: run `scripts/cluster init`."
        for shard in self.draining:
            yield f"{shard} is draining: finish with `scripts/cluster remove-shard {shard}`."
        if self.missing_collections:
            names = ", ".join(self.missing_collections)
            yield f"The collections {names} do not exist or are not sharded: run `scripts/cluster init`."
        yield from filter(None, (zone.problem() for zone in self.zones))


@dataclass(frozen=True)
class ClusterStatus:
    """The whole picture. `routing` is None when no router could be asked, `routing_error` then says why."""

    sets: tuple[SetStatus, ...]
    routers: tuple[RouterStatus, ...]
    routing: Routing | None
    routing_error: str | None = None
    moves: tuple[Move, ...] = ()
    access: Access | None = None
    access_error: str | None = None

    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong, in sentences, what stops the most work first."""
        return tuple(self._problems())

    def problem(self) -> str | None:
        """The first thing that is wrong, or None."""
        return next(self._problems(), None)

    def notices(self) -> tuple[str, ...]:
        """What is not wrong and should be known."""
        return tuple(self._notices())

    @property
    def is_down(self) -> bool:
        """Whether nothing at all answers."""
        return all(m.state == DOWN for s in self.sets for m in s.members) and all(r.error for r in self.routers)

    def _problems(self) -> Iterator[str]:
        if self.is_down:
            yield "Nothing answers: start the cluster with `scripts/cluster up`."
            return
        for replica_set in self.sets:
            yield from replica_set.problems()
        yield from filter(None, (router.problem() for router in self.routers))
        if self.routing is not None:
            yield from self.routing.problems()
        elif not all(router.error for router in self.routers):
            yield f"The routers cannot tell the state of the cluster: {self.routing_error}."
        if self.access is not None:
            yield from self.access.problems()

    def _notices(self) -> Iterator[str]:
        if any(member.state == UNSEEN for replica_set in self.sets for member in replica_set.members):
            yield "Only routers were asked: states, lags and versions of members are not known; give --inventory."
        if self.access is not None:
            yield from self.access.notices()
        elif self.access_error and not self.is_down:
            yield f"Users and migrations are not known: {self.access_error}."

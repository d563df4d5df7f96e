"""A `ClusterStatus` for people (tables on a terminal, plain text elsewhere) and for programs (JSON)."""

import sys
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from .status import Access, ClusterStatus, CollectionStatus, Holding, MemberStatus, Routing

COLOURS = {"PRIMARY": "bold green", "SECONDARY": "green", "DOWN": "bold red"}
# Wide enough for every table when the output is a file or a pipe, which has no width.
PLAIN_WIDTH = 140


def document(status: ClusterStatus) -> dict[str, Any]:
    """`status --json`: the picture with its verdict, `{"healthy": true, "problems": [], "sets": [...], ...}`."""
    said = {"problems": list(status.problems()), "notices": list(status.notices())}
    picture = asdict(status)
    if status.routing is not None:
        for shown, collection in zip(picture["routing"]["collections"], status.routing.collections, strict=True):
            shown |= {"documents": collection.documents, "skew": collection.skew}
    return {"healthy": status.problem() is None, **said, **picture}


def show(status: ClusterStatus, console: Console | None = None) -> None:
    """Prints the picture: coloured on a terminal, plain elsewhere."""
    console = console or Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(screen(status))


def screen(status: ClusterStatus) -> Group:
    """The verdict first, what is wrong, then members, routers, collections, zones, balancer, users."""
    problems = status.problems()
    verdict, style = ("Not healthy:", "bold red") if problems else ("The cluster is healthy.", "bold green")
    parts: list[RenderableType] = [Text(verdict, style)]
    parts += [Text(f"  {problem}", "red") for problem in problems]
    parts += [Text(notice, "yellow") for notice in status.notices()]
    parts += [_members(status), _routers(status)]
    if status.routing is not None:
        zones = [_zones(status.routing)] if status.routing.zones else []
        parts += [_collections(status.routing), *zones, Text(_balancer(status.routing))]
    parts += [Text(f"On the move: {move}.") for move in status.moves]
    if status.access is not None:
        parts.append(_users(status.access))
    return Group(*parts)


def _members(status: ClusterStatus) -> Table:
    table = _table("set", "member", "address", "state", "lag", "version", "up for", *_certificate_title(status))
    for replica_set in status.sets:
        for member in replica_set.members:
            table.add_row(replica_set.name, *_member(member))
    return table


def _member(member: MemberStatus) -> tuple[str, ...]:
    colour = COLOURS.get(member.state, "yellow")
    lag = "" if member.lag_s is None else f"{member.lag_s:.0f} s"
    uptime = "" if member.uptime_s is None else _duration(member.uptime_s)
    state, certificate = f"[{colour}]{member.state}[/]", _days(member.certificate_days)
    return member.name, member.address, state, lag, member.version or "", uptime, *certificate


def _certificate_title(status: ClusterStatus) -> tuple[str, ...]:
    """The column of certificates, where there are any."""
    left = [member.certificate_days for replica_set in status.sets for member in replica_set.members]
    left += [router.certificate_days for router in status.routers]
    return ("certificate",) if any(days is not None for days in left) else ()


def _days(days: int | None) -> tuple[str, ...]:
    return () if days is None else (f"{days} d left",)


def _routers(status: ClusterStatus) -> Table:
    table = _table("router", "address", "state", "kind", *_certificate_title(status))
    for router in status.routers:
        state = "[bold red]DOWN[/]" if router.error else "[green]up[/]"
        kind = "" if router.error else router.kind
        table.add_row(router.name, router.address, state, kind, *_days(router.certificate_days))
    return table


def _collections(routing: Routing) -> Table:
    table = _table("collection", "documents", "skew", *(f"{shard}: chunks, documents, MB" for shard in routing.shards))
    for collection in routing.collections:
        skew = "" if collection.skew is None else f"{collection.skew:.2f}"
        documents = "?" if collection.documents is None else str(collection.documents)
        table.add_row(collection.name, documents, skew, *_holdings(collection, routing))
    return table


def _balancer(routing: Routing) -> str:
    hours = f", works {routing.balancer_window}" if routing.balancer_window else ""
    busy = ", in a round" if routing.balancer_busy else ""
    return f"Balancer {'on' if routing.balancer_on else 'off'}{hours}{busy}."


def _zones(routing: Routing) -> Table:
    table = _table("zone", "shards", "ranges")
    for zone in routing.zones:
        ranges = ", ".join(f"{count} of {name}" for name, count in zone.ranges)
        table.add_row(zone.name, ", ".join(zone.shards), ranges)
    return table


def _users(access: Access) -> Table:
    table = _table("user", "roles", "in use")
    for user in access.users:
        table.add_row(user.name, ", ".join(user.roles), "yes" if user.is_in_use else "")
    return table


def _holdings(collection: CollectionStatus, routing: Routing) -> list[str]:
    by_shard = {holding.shard: holding for holding in collection.holdings}
    cells = []
    for shard in routing.shards:
        held = by_shard.get(shard)
        cells.append(_cell(held) if held else "-")
    return cells


def _cell(held: Holding) -> str:
    documents = "?" if held.documents is None else held.documents
    size = "?" if held.size_bytes is None else f"{held.size_bytes / 1e6:.1f}"
    return f"{held.chunks}, {documents}, {size}"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _duration(seconds: int) -> str:
    """`42 s`, `12 min`, `3 h`, `5 d`."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"

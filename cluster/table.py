"""A `ClusterStatus` for people (tables on a terminal, plain text elsewhere) and for programs (JSON)."""

import sys
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from .status import ClusterStatus, CollectionStatus, MemberStatus, Routing

COLOURS = {"PRIMARY": "bold green", "SECONDARY": "green", "DOWN": "bold red"}
# Wide enough for every table when the output is a file or a pipe, which has no width.
PLAIN_WIDTH = 140


def document(status: ClusterStatus) -> dict[str, Any]:
    """`status --json`: the picture with its verdict, `{"healthy": true, "problems": [], "sets": [...], ...}`."""
    return {"healthy": status.problem() is None, "problems": list(status.problems()), **asdict(status)}


def show(status: ClusterStatus, console: Console | None = None) -> None:
    """The verdict first, then members, routers and collections."""
    console = console or Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    problems = status.problems()
    verdict, style = ("Not healthy:", "bold red") if problems else ("The cluster is healthy.", "bold green")
    console.print(verdict, style=style)
    for problem in problems:
        console.print(f"  {problem}", markup=False, style="red")
    console.print(_members(status))
    console.print(_routers(status))
    if status.routing is not None:
        console.print(_collections(status.routing))
        console.print(f"Balancer {'on' if status.routing.balancer_on else 'off'}.")


def _members(status: ClusterStatus) -> Table:
    table = _table("set", "member", "address", "state", "lag", "version", "up for")
    for replica_set in status.sets:
        for member in replica_set.members:
            table.add_row(replica_set.name, *_member(member))
    return table


def _member(member: MemberStatus) -> tuple[str, ...]:
    colour = COLOURS.get(member.state, "yellow")
    lag = "" if member.lag_s is None else f"{member.lag_s:.0f} s"
    uptime = "" if member.uptime_s is None else _duration(member.uptime_s)
    return member.name, member.address, f"[{colour}]{member.state}[/]", lag, member.version or "", uptime


def _routers(status: ClusterStatus) -> Table:
    table = _table("router", "address", "state", "kind")
    for router in status.routers:
        state = "[bold red]DOWN[/]" if router.error else "[green]up[/]"
        table.add_row(router.name, router.address, state, "" if router.error else router.kind)
    return table


def _collections(routing: Routing) -> Table:
    table = _table("collection", "documents", "skew", *(f"{shard}: chunks, documents, MB" for shard in routing.shards))
    for collection in routing.collections:
        skew = "" if collection.skew is None else f"{collection.skew:.2f}"
        table.add_row(collection.name, str(collection.documents), skew, *_holdings(collection, routing))
    return table


def _holdings(collection: CollectionStatus, routing: Routing) -> list[str]:
    by_shard = {holding.shard: holding for holding in collection.holdings}
    cells = []
    for shard in routing.shards:
        held = by_shard.get(shard)
        cells.append(f"{held.chunks}, {held.documents}, {held.size_bytes / 1e6:.1f}" if held else "-")
    return cells


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

"""How every named query of `api/store` is routed, declared.

A name is `<collection>.<function>`; `store/` sends it as the command's `comment`, so that logs and the profiler name
the query too. A live test explains every query through the router and compares. A query with no declaration, or a
declaration with no query, fails it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Targeted:
    """Goes to the one shard that owns the shard key in its filter or document."""


@dataclass(frozen=True)
class Scatter:
    """Goes to every shard; `reason` says why that is right."""

    reason: str


Routing = Targeted | Scatter

TARGETED = Targeted()

QUERIES: dict[str, Routing] = {}

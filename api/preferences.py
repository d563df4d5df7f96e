"""`Prefer` (RFC 7240): what a client would like of a read, and which of it was done. Unknown wishes are passed over.

`consistency=eventual` lets a list be read from a secondary, `partial` lets a list of several shards be shown without
those that do not answer, `route-report` tells an admin which shards were asked.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

HEADER = "Prefer"
APPLIED_HEADER = "Preference-Applied"
ROUTE_HEADER = "X-Route"

EVENTUAL, PARTIAL, ROUTE_REPORT = "consistency=eventual", "partial", "route-report"
KNOWN = (EVENTUAL, PARTIAL, ROUTE_REPORT)


@dataclass
class Reading:
    """How the reads of this request are done, and what came of it.

    `commands` are those of named queries as they were sent, kept for a route report alone. `is_partial` is None until a
    list was read that may leave shards out.
    """

    wishes: frozenset[str]
    is_partial: bool | None = None
    commands: list[dict[str, Any]] = field(default_factory=list)

    @property
    def applied(self) -> list[str]:
        """The wishes that were followed."""
        done = {EVENTUAL: True, PARTIAL: self.is_partial is not None, ROUTE_REPORT: bool(self.commands)}
        return [wish for wish in KNOWN if wish in self.wishes and done[wish]]


# How this thread reads; None, as nearly always: from primaries, everything or nothing, untold.
READING: ContextVar[Reading | None] = ContextVar("READING", default=None)


def wishes_in(header: str) -> frozenset[str]:
    """The wishes of a `Prefer` header that are known here."""
    given = (part.partition(";")[0].replace('"', "").replace(" ", "").lower() for part in header.split(","))
    return frozenset(given) & frozenset(KNOWN)

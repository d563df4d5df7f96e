"""What `create_app` made for a process, found from anywhere within its application context."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from flask import current_app

from .config import Settings
from .consistency import TokenSigner
from .cursors import CursorSigner
from .db import Connection
from .metrics import Metrics
from .monitor import Monitor
from .passwords import Passwords
from .standing import SessionCache
from .tokens import TokenKeys

if TYPE_CHECKING:
    from .changes.hub import Hub

EXTENSION = "shardboard"


@dataclass(frozen=True)
class Services:
    """The long-lived parts of a process."""

    settings: Settings
    metrics: Metrics
    connection: Connection
    passwords: Passwords
    token_keys: TokenKeys
    standing: SessionCache
    cursors: CursorSigner
    moments: TokenSigner
    monitor: Monitor
    changes: "Hub"
    # Shared statistics: name -> (when by the monotonic clock, figures).
    statistics: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)


def services() -> Services:
    """The parts of the current application."""
    return cast(Services, current_app.extensions[EXTENSION])

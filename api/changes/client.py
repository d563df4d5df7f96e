"""A client who follows changes: whose session it is, and the connection as far as the server shows it."""

import socket
import time
from contextlib import suppress

from ..auth import Principal

# Who has not taken what was sent for so long is cut off. It comes back where it was.
STUCK_S = 5


class Client:
    """One open answer. `over` says why it is to end, e.g. `token_expired`."""

    def __init__(self, caller: Principal, connection: socket.socket | None) -> None:
        self.session_id, self.user_id, self.role = caller.session_id, caller.user_id, caller.role
        self._expires_at = caller.token_expires_at
        self._connection = connection
        self._ended: str | None = None
        self._sending_since: float | None = None

    def over(self) -> str | None:
        """Why the answer is to end; None while it may go on."""
        if self._ended is None and time.time() >= self._expires_at:
            self._ended = "token_expired"
        return self._ended

    def end(self, reason: str) -> None:
        """Have the answer end; the first reason counts."""
        self._ended = self._ended or reason

    def begins_to_send(self) -> None:
        """Something is on its way to the client."""
        self._sending_since = time.monotonic()

    def has_sent(self) -> None:
        """The network has taken it."""
        self._sending_since = None

    def cut_if_stuck(self) -> None:
        """Close the connection of a client that does not read: nothing else wakes the thread that sends."""
        since = self._sending_since
        if since is not None and time.monotonic() - since > STUCK_S:
            self.cut()

    def cut(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def is_gone(self) -> bool:
        """Whether the client has closed the connection, as far as one can see without sending."""
        if self._connection is None:
            return False
        try:
            return self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            return True

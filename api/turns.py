"""Requests take turns: a process works on `THREADS` of them at once, whatever number of threads the server has.

The others are for clients that follow changes, who hold one each and mostly wait. Neither takes the other's threads.
"""

import threading

from flask import Flask, g, request

# Its answers last; their number has a limit of its own.
LASTING = "changes.get_changes"


def register(app: Flask, most: int) -> None:
    """Let `most` requests at once into the views of `app`; further ones wait."""
    free = threading.BoundedSemaphore(most)

    def begin() -> None:
        if request.endpoint != LASTING:
            free.acquire()
            g.has_turn = True

    def end(_: BaseException | None) -> None:
        if g.pop("has_turn", False):
            free.release()

    app.before_request(begin)
    app.teardown_request(end)

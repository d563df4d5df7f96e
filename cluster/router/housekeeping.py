"""What a router does without being asked: says that it lives, learns of shards, frees forgotten cursors."""

import datetime
import logging
import time

from bson import Int64

from .access import Login, PrivilegeCache
from .errors import CommandError
from .operation import Operation, Router
from .reads import close_cursor
from .shards import MAJORITY, MemberError

log = logging.getLogger(__name__)

INTERVAL_S, SOON_S = 10.0, 0.5


class Housekeeping:
    """Runs once every few seconds until the router stops."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def run(self) -> None:
        while True:
            for step in (
                self._register,
                self._router.grid.load_shards,
                self._router.grid.clock.refresh,
                self._free_cursors,
            ):
                try:
                    step()
                except (CommandError, MemberError) as error:
                    log.warning("housekeeping: %s", error)
            if self._router.stopping.wait(INTERVAL_S if self._router.grid.clock.can_sign else SOON_S):
                return

    def _register(self) -> None:
        """Say in `config.mongos` that this router lives; `status` and `sh.status()` read it."""
        router = self._router
        version = router.grid.config_call({"buildInfo": 1}, time.monotonic() + INTERVAL_S)["version"]
        fields = {"ping": datetime.datetime.now(datetime.UTC), "up": Int64(time.time() - router.started_at),
                  "waiting": True, "mongoVersion": version, "shardboardStandIn": True}  # fmt: skip
        update = {"q": {"_id": router.address}, "u": {"$set": fields}, "upsert": True}
        body = {"update": "mongos", "updates": [update], "writeConcern": MAJORITY, "$db": "config"}
        router.grid.config_call(body, time.monotonic() + INTERVAL_S)

    def _free_cursors(self) -> None:
        router = self._router
        op = Operation(router, {"killCursors": 1, "$db": "admin"}, Login(router.grid, PrivilegeCache(router.grid)))
        for cursor in router.cursors.idle():
            close_cursor(op, cursor)

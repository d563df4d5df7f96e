"""What a router does without being asked: says that it lives, learns of shards, frees forgotten cursors."""

import datetime
import logging
import time

from bson import Int64

from .access import Login
from .continuing import close_cursor
from .errors import CommandError
from .operation import Operation, Router
from .shards import MAJORITY, MemberError

log = logging.getLogger(__name__)

INTERVAL_S, SOON_S = 5.0, 0.5


class Housekeeping:
    """Runs once every few seconds until the router stops."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def run(self) -> None:
        grid = self._router.grid
        steps = (self._router.privileges.refresh, grid.refresh_defaults, grid.load_shards, grid.clock.refresh,
                 self._register, self._free_cursors)  # fmt: skip
        while True:
            for step in steps:
                try:
                    step()
                except (CommandError, MemberError) as error:
                    log.warning("housekeeping: %s", error)
            if self._router.stopping.wait(INTERVAL_S if grid.clock.can_sign else SOON_S):
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
        op = Operation(router, {"killCursors": 1, "$db": "admin"}, Login(router.grid, router.privileges))
        for cursor in router.cursors.idle():
            close_cursor(op, cursor)

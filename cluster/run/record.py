"""`.run/run.json`: what runs now, for programs and for the next command. Mode 600, since it holds passwords."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..layout import PACKAGE_ROOT, write_private

RUN_FILE = PACKAGE_ROOT / ".run" / "run.json"


@dataclass(frozen=True)
class Run:
    """One run. `router` is `mongos 6.0.5` or `stand-in`; `pids` are by name: `api`, `worker`, `shard-1-a`, ...

    `metrics_urls` are of `api` and `worker`.
    """

    api_url: str
    metrics_urls: dict[str, str]
    mongodb_uri: str
    cluster_admin_uri: str
    admin_username: str
    admin_password: str
    router: str
    pids: dict[str, int]
    data_dir: str


def write(run: Run) -> None:
    """Replaces the file in one step."""
    RUN_FILE.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(RUN_FILE, json.dumps(asdict(run), indent=2) + "\n")


def read() -> Run | None:
    """The run that was written last, whether its processes still live or not; None when there was none.

    A file that this version did not write counts as none: it can only be left over.
    """
    try:
        saved: dict[str, Any] = json.loads(RUN_FILE.read_text())
        return Run(**saved)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def remove() -> None:
    RUN_FILE.unlink(missing_ok=True)

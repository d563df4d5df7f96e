"""What every test run shares: where the packages are, and what it says of the servers it found."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import pytest

from cluster.binaries import find_mongod, mongos_command
from cluster.errors import ClusterError

LIVE = Path(__file__).parent / "live"


def pytest_configure(config: pytest.Config) -> None:
    """A run that is told to end by SIGTERM tears its cluster down, as one that is interrupted does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--members 1` for quick work on what no failover touches: a third of the processes; `--tls`."""
    parser.addoption("--tls", action="store_true", help="TLS on the live cluster, for all that is tested there")
    parser.addoption("--members", type=int, default=3, help="members of each set of the live cluster, 1 or 3")


def pytest_report_header(config: pytest.Config) -> str:
    """Which servers the live tests run against."""
    try:
        mongod, router = find_mongod(os.environ), mongos_command(os.environ)
    except ClusterError as error:
        return f"shardboard: {error}"
    kind = "stand-in" if router.is_stand_in else f"mongos {router.version_text}"
    return f"shardboard: mongod {mongod.version_text}, router {kind}, python {sys.version.split()[0]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under `pytest -n N --dist loadgroup` one worker runs all tests of the one cluster, in their order; another may
    run those that have a cluster of their own, or none."""
    for item in items:
        if LIVE in item.path.parents:
            item.add_marker(pytest.mark.live)
            fixtures = getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("cluster" if "cluster" in fixtures else "other clusters"))

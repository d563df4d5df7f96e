"""Whether this machine has the memory and the disk for a local cluster. Asked before anything is started."""

from pathlib import Path

import psutil

from ..errors import ClusterError

# Measured: what a fresh member of a set holds after bring-up, and what its files take, in megabytes.
MEMBER_MEMORY_MB = 160
MEMBER_DISK_MB = 80
MB = 1024 * 1024
CGROUP = Path("/sys/fs/cgroup")


def require_memory(members: int) -> None:
    """Raises ClusterError when `members` processes do not fit into what is free."""
    needed, available = members * MEMBER_MEMORY_MB, available_memory_mb()
    if available < needed:
        raise ClusterError(
            f"{members} members need about {needed} MB of memory and {available} MB are free: "
            "end other programs, or choose fewer with --members 1."
        )


def require_disk(directory: Path, members: int) -> None:
    """Raises ClusterError when the disk under `directory`, which exists, is too full for `members` new members."""
    needed, free = members * MEMBER_DISK_MB, psutil.disk_usage(str(directory)).free // MB
    if free < needed:
        raise ClusterError(
            f"{members} members need about {needed} MB of disk and {directory} has {free} MB free: "
            "make room, or choose another place with --data DIR."
        )


def available_memory_mb() -> int:
    """What can still be taken: of the machine, or of the container that this runs in."""
    return min(psutil.virtual_memory().available, _container_memory_left()) // MB


def _container_memory_left() -> int:
    """Bytes left of this control group's limit (cgroup v2); what the machine has where there is none."""
    try:
        limit, used = (CGROUP / "memory.max").read_text().strip(), int((CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except OSError:
        return psutil.virtual_memory().total
    # Cached files count as used and are given back on demand.
    return psutil.virtual_memory().total if limit == "max" else int(limit) - used + int(stat["inactive_file"])

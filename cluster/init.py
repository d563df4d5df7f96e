"""`cluster init`: from whatever runs to a working cluster.

A cluster is found in one of these states, and each step takes it to the next: its config set is not initiated; it has a
primary; the shards' sets have theirs; users exist; routers serve; shards are added; defaults are set; collections are
declared. A step looks before it acts, so `init` starts anywhere, may be stopped anywhere and may run twice at once.
"""

from . import bringup
from .connections import Connections, system_login
from .progress import Progress
from .target import Target


def init(target: Target, progress: Progress, wait_s: float) -> bool:
    """Takes `target` to a healthy cluster; whether anything changed. Nodes have `wait_s` seconds to answer.

    Raises:
        ClusterError: something is in the way; the message names the host and the remedy. What was done stays done.
    """
    if target.local is not None:
        return target.local.init(progress)
    if target.cluster is None:
        with target.routers() as routers:
            bringup.declare_through_routers(routers, target.secrets, target.database, progress)
        return bool(progress.changes)
    cluster, secrets = target.cluster, target.secrets
    with Connections(system_login(secrets), selection_timeout_ms=_selection_ms(wait_s)) as connections:
        bringup.prepare_config_set(cluster, connections, progress, wait_s=wait_s)
        bringup.prepare_shards(cluster, connections, progress, wait_s=wait_s)
        bringup.configure(cluster, connections, secrets, target.database, progress, wait_s=wait_s)
        bringup.verify(cluster, secrets, target.database, progress)
    return bool(progress.changes)


def _selection_ms(wait_s: float) -> int:
    """One attempt is never longer than the whole wait."""
    return int(min(5.0, max(0.5, wait_s)) * 1000)

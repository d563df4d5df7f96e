"""Processes of a local run take up new logins, without a request that fails."""

import signal

import psutil

from ..layout import write_private
from ..local import LocalCluster
from ..nodes.process import Process, process_in
from ..roles import ADMIN, API, MONITOR, WORKER
from ..wait import NotReady, wait_until
from . import record

# Longer than the API gives its requests in flight (GRACEFUL_STOP_S, 30 s) and its processes to start.
CHANGE_TIMEOUT_S = 60


def change_over(cluster: LocalCluster) -> bool:
    """API and worker of `cluster` log in as the users that are in use now; whether one of them was running.

    Raises:
        WaitTimeout: a process with the old login did not end within a minute.
    """
    for account in (API, WORKER, MONITOR):
        path = cluster.secrets.directory / f"{account.name}.uri"
        if path.exists():
            write_private(path, cluster.uri(account) + "\n")
    api, worker = process_in(cluster.data_dir, "api"), process_in(cluster.data_dir, "worker")
    changed = [_renew_processes(api), _restart(worker)]
    _rewrite_record(cluster, worker)
    return any(changed)


def _renew_processes(api: Process) -> bool:
    """gunicorn starts new processes, which read the login anew, and lets each old one finish what it is at."""
    pid = api.pid
    if pid is None:
        return False
    before = psutil.Process(pid).children()
    api.signal(signal.SIGHUP)

    def probe() -> None:
        left = [child.pid for child in before if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
        if left:
            raise NotReady(f"{len(left)} of {len(before)} are at work")

    wait_until("the API's processes with the old login to end", probe, CHANGE_TIMEOUT_S)
    return True


def _restart(worker: Process) -> bool:
    """Its work is leased and repeatable: nothing is lost while it is away."""
    pid = worker.pid
    if pid is None:
        return False
    running = psutil.Process(pid)
    argv, environ = running.cmdline(), running.environ()
    worker.stop()
    worker.start(argv, environ)
    return True


def _rewrite_record(cluster: LocalCluster, worker: Process) -> None:
    """`run.json` names the logins of now."""
    found = record.read()
    if found is None or found.data_dir != str(cluster.data_dir.root):
        return
    pids = {**found.pids, **({"worker": worker.pid} if worker.pid else {})}
    uris = {"mongodb_uri": cluster.uri(API, cluster.database), "cluster_admin_uri": cluster.uri(ADMIN)}
    record.write(record.Run(**{**vars(found), **uris, "pids": pids}))

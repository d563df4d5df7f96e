"""`scripts/run`: one command from nothing to a working API in front of a sharded cluster."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ..cli import DEFAULT_DATA, add_shape, add_tls, guarded, port, wishes
from ..errors import ClusterError
from ..layout import DataDir
from ..local import LocalCluster
from ..nodes.ports import find_block
from ..nodes.process import process_in
from ..progress import Progress
from ..roles import ADMIN, API
from . import record
from .services import ADMIN_USERNAME, Services

DEFAULT_PORT = 5000
# Of the API and the worker: two free ones from here on.
METRICS_PORTS, FIRST_METRICS_PORT = 2, 9460

EXAMPLE = """\
example: scripts/run --detach --members 1 --demo
A machine with little memory: --members 1. Data stays in --data; a later run goes on with it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs everything until Ctrl-C, or leaves it running with --detach; answers the exit code."""
    args = parser().parse_args(arguments)
    return guarded(lambda: run(args))


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="scripts/run",
        description="Starts a sharded cluster, the API and its worker on this machine. Ctrl-C stops them all.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--detach", action="store_true", help="return when the API is ready; stop with scripts/stop")
    root.add_argument("--demo", action="store_true", help="make sample users, projects and tasks")
    root.add_argument("--port", type=port, default=DEFAULT_PORT, metavar="P", help="port of the API (%(default)s)")
    root.add_argument("--cluster-port", type=port, metavar="P", help="first port of the cluster (default: free ones)")
    root.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help="data directory (%(default)s)")
    add_shape(root)
    add_tls(root)
    return root


def run(args: argparse.Namespace) -> int:
    """Starts everything; in the foreground also waits and stops it.

    Raises:
        ClusterError: something is in the way. What was started is stopped again; data stays.
    """
    require_nothing_runs()
    progress = Progress()
    cluster = LocalCluster.create(args.data, wishes(args), args.cluster_port, tls=args.tls)
    services = Services(cluster, args.port, metrics_port=find_block(METRICS_PORTS, FIRST_METRICS_PORT))
    services.require_port()
    with interrupted_by_term():
        try:
            start(cluster, services, progress, args.demo)
            progress.say(summary(cluster, services, args.detach))
            if args.detach:
                return 0
            wait_for_end(services)
        except KeyboardInterrupt:
            progress.say("Stopping ...")
        finally:
            if not (args.detach and sys.exc_info()[0] is None):
                stop(cluster, services, progress)
    return 0


def require_nothing_runs() -> None:
    """Raises ClusterError with the URL of the run that is there already."""
    found = record.read()
    if found is not None and process_in(DataDir(Path(found.data_dir)), "api").pid is not None:
        raise ClusterError(
            f"Shardboard runs already at {found.api_url}, with data in {found.data_dir}: use that, "
            "or stop it with scripts/stop."
        )


def start(cluster: LocalCluster, services: Services, progress: Progress, demo: bool) -> None:
    """Brings up the cluster, the API and the worker, and records them."""
    cluster.up(progress)
    # One of the two may be left over from a run whose other one was killed.
    services.stop()
    with progress.step("create the first administrator") as outcome:
        services.create_first_admin()
        outcome.changed = True
    with progress.step("start the API and the worker") as outcome:
        services.start_api()
        services.start_worker()
        outcome.changed = True
    if demo:
        with progress.step("make sample data") as outcome:
            made = services.create_demo()
            outcome.changed = True
        progress.say(f"  {made}")
    record.write(current(cluster, services))


def stop(cluster: LocalCluster, services: Services, progress: Progress) -> None:
    """Stops worker, API and cluster in this order."""
    with ignoring_interrupts():
        with progress.step("stop the API and the worker") as outcome:
            outcome.changed = services.stop()
        cluster.down(progress)
        record.remove()


def current(cluster: LocalCluster, services: Services) -> record.Run:
    """What runs now."""
    pids = {node.name: cluster.nodes.pid(node) for node in cluster.cluster.nodes}
    pids |= {"api": services.api.pid, "worker": services.worker.pid}
    return record.Run(
        api_url=services.url,
        metrics_urls=services.metrics_urls,
        mongodb_uri=cluster.uri(API, cluster.database),
        cluster_admin_uri=cluster.uri(ADMIN),
        admin_username=ADMIN_USERNAME,
        admin_password=services.admin_password,
        router=cluster.router_kind,
        pids={name: pid for name, pid in pids.items() if pid is not None},
        data_dir=str(cluster.data_dir.root),
    )


def summary(cluster: LocalCluster, services: Services, detached: bool) -> str:
    """What a person needs next."""
    how_to_stop = "scripts/stop" if detached else "Ctrl-C"
    return f"""
Shardboard is ready.
  API        {services.url}/api/v1
  Swagger    {services.url}/swagger
  metrics    {" ".join(services.metrics_urls.values())}
  admin      {ADMIN_USERNAME} / {services.admin_password}
  routers    {cluster.cluster.routers_address} ({cluster.router_kind})
  letters    {cluster.data_dir.letters}/ (what people would get by e-mail)
  details    {record.RUN_FILE} (connection strings, pids)
  stop with  {how_to_stop}; data stays in {cluster.data_dir.root}"""


def wait_for_end(services: Services) -> None:
    """Returns on Ctrl-C, by KeyboardInterrupt.

    Raises:
        ClusterError: the API or the worker has ended by itself.
    """
    with ThreadPoolExecutor(2) as pool:
        ended = {pool.submit(process.wait): process for process in (services.api, services.worker)}
        try:
            done, _ = wait(ended, return_when=FIRST_COMPLETED)
        except KeyboardInterrupt:
            # A second Ctrl-C in here would leave one of the two running, and the pool waiting for it.
            with ignoring_interrupts():
                services.stop()
            raise
        process = ended[next(iter(done))]
        services.stop()
    raise ClusterError(f"The {process.name} has ended ({process.last_words()}): see {process.output}.")


@contextmanager
def interrupted_by_term() -> Iterator[None]:
    """SIGTERM, and a terminal that closes, do what Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with handling((signal.SIGTERM, signal.SIGHUP), interrupt):
        yield


@contextmanager
def ignoring_interrupts() -> Iterator[None]:
    """A second Ctrl-C does not leave half of the processes running: a stop is bounded by itself."""
    with handling((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN):
        yield


@contextmanager
def handling(
    numbers: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], None] | signal.Handlers
) -> Iterator[None]:
    """Has `handler` take these signals for a while."""
    before = [signal.signal(number, handler) for number in numbers]
    try:
        yield
    finally:
        for number, earlier in zip(numbers, before, strict=True):
            signal.signal(number, earlier)


if __name__ == "__main__":
    sys.exit(main())

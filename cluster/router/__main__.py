"""`python -m cluster.router --configdb cfg/host:port,... --port 27017 --keyFile FILE`: run the stand-in."""

import argparse
import logging
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .access import PrivilegeCache
from .chunks import Catalog
from .cursors import Cursors
from .errors import CommandError
from .housekeeping import Housekeeping
from .operation import Router
from .process import SUPPORTED_SERVER
from .server import Connections, Server
from .shards import Grid, MemberError
from .tls import Tls
from .transactions import Transactions

log = logging.getLogger("cluster.router")

CONFIG_WAIT_S = 60.0
SCATTER_THREADS = 32


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The flags of `mongos` that Shardboard uses."""
    parser = argparse.ArgumentParser(
        prog="mongos",
        description="Stand-in for mongos, for development and tests. It is not for production: use MongoDB's mongos.",
        epilog="example: python -m cluster.router --configdb cfg/127.0.0.1:27019 --port 27017 --keyFile keyfile",
    )
    parser.add_argument("--configdb", required=True, help="config servers as <set>/<host:port>,...")
    parser.add_argument("--port", type=int, default=27017)
    parser.add_argument("--bind_ip", default="127.0.0.1", help="addresses to listen on, comma-separated")
    parser.add_argument("--bind_ip_all", action="store_true", help="listen on every address")
    parser.add_argument("--keyFile", required=True, help="the cluster's keyfile")
    parser.add_argument("--logpath", help="append the log to this file instead of standard error")
    parser.add_argument("--logappend", action="store_true", help="accepted as by mongos; the log is always appended to")
    parser.add_argument(
        "--noscripting", action="store_true", help="accepted as by mongos; the shards must refuse $where"
    )
    parser.add_argument("--tlsMode", choices=["disabled", "requireTLS"], default="disabled")
    parser.add_argument("--tlsCertificateKeyFile", help="certificate and key of this router")
    parser.add_argument("--tlsCAFile", help="the authority that signs the certificates of members and clients")
    parser.add_argument("--tlsDisabledProtocols", help="accepted as by mongos; TLS 1.2 is always the least")
    parser.add_argument("--setParameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--maxConns", type=int, default=1000, help="client connections at once")
    parser.add_argument("--version", action="version", version="shardboard stand-in for mongos")
    return parser.parse_args(argv)


def read_key(path: str) -> str:
    """The key of a keyfile, without white space; of several keys (a YAML list) the first.

    Raises: SystemExit with one sentence.
    """
    try:
        text = Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"mongos: cannot read the keyfile {path}: {error}")
    listed = re.findall(r"^\s*-\s*(.+)$", text, re.MULTILINE)
    key = re.sub(r"\s", "", listed[0] if listed else text).strip("\"'")
    if len(key) < 6:
        sys.exit(f"mongos: the key in {path} is too short: 6 characters are the least")
    return key


def read_tls(options: argparse.Namespace) -> Tls | None:
    """What `--tls...` say; None without TLS.

    Raises: SystemExit with one sentence.
    """
    if options.tlsMode == "disabled":
        return None
    if not (options.tlsCertificateKeyFile and options.tlsCAFile):
        sys.exit("mongos: TLS needs --tlsCertificateKeyFile and --tlsCAFile")
    try:
        return Tls(options.tlsCertificateKeyFile, options.tlsCAFile)
    except OSError as error:
        sys.exit(f"mongos: {options.tlsCertificateKeyFile} or {options.tlsCAFile} cannot be used: {error}")


def connect(configdb: str, key: str, tls: Tls | None) -> Grid:
    """The cluster behind `configdb`, as soon as its config servers have a primary.

    Raises: SystemExit with one sentence after a minute, or when the servers are of a version that is not known.
    """
    grid = Grid(configdb, key, tls)
    deadline = time.monotonic() + CONFIG_WAIT_S
    while True:
        try:
            build = grid.config_call({"buildInfo": 1}, min(deadline, time.monotonic() + 5.0))
            grid.load_shards()
            grid.clock.refresh()
            grid.refresh_defaults()
            break
        except (CommandError, MemberError) as error:
            if time.monotonic() > deadline:
                sys.exit(f"mongos: the config servers {configdb} gave no primary within {CONFIG_WAIT_S:.0f} s: {error}")
            log.info("waiting for the config servers: %s", error)
    if not build["version"].startswith(SUPPORTED_SERVER + "."):
        sys.exit(f"mongos: the stand-in routes for MongoDB {SUPPORTED_SERVER}, these servers are {build['version']}: "
                 "use the mongos of that version")  # fmt: skip
    return grid


def main(argv: list[str] | None = None) -> None:
    options = parse_arguments(argv)
    logging.basicConfig(
        filename=options.logpath, level=logging.INFO, format="%(asctime)s %(levelname)s %(threadName)s %(message)s"
    )
    logging.getLogger("pymongo").setLevel(logging.WARNING)
    sys.setswitchinterval(0.001)
    log.warning("this is Shardboard's stand-in for mongos, for development and tests only")
    hosts = ["0.0.0.0", "::"] if options.bind_ip_all else options.bind_ip.split(",")  # noqa: S104
    grid = connect(options.configdb, read_key(options.keyFile), read_tls(options))
    router = Router(
        grid=grid,
        catalog=Catalog(grid),
        privileges=PrivilegeCache(grid),
        cursors=Cursors(),
        transactions=Transactions(),
        connections=Connections(options.maxConns),
        workers=ThreadPoolExecutor(SCATTER_THREADS, "scatter"),
        address=f"{socket.gethostname()}:{options.port}",
        test_commands="enableTestCommands=1" in options.setParameter,
    )
    try:
        server = Server(router, hosts, options.port)
    except OSError as error:
        sys.exit(f"mongos: cannot listen on port {options.port}: {error.strerror}; choose another with --port")
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: router.stopping.set())
    threading.Thread(target=Housekeeping(router).run, daemon=True).start()
    log.info("routing on port %d for %s", options.port, options.configdb)
    server.serve()
    grid.close()
    log.info("stopped")


if __name__ == "__main__":
    main()

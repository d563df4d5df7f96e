"""Ports of this machine: which are free, and who holds the ones that are not."""

import errno
import socket
from pathlib import Path

import psutil

from ..errors import ClusterError
from ..topology import LOOPBACK

# Below the range that Linux hands to outgoing connections (32768 and up): nobody takes these by accident.
HIGHEST_PORT = 32_000
BLOCK_STEP = 100
# What Linux takes the ports of outgoing connections from, e.g. "32768 60999".
# https://docs.kernel.org/networking/ip-sysctl.html
OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection that has just ended does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def holder(port: int) -> str:
    """Who listens on `port`, e.g. `mongod (pid 4711)`; "another process" where the system does not tell."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "another process"
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                break
    return "another process"


# A set's members know each other by their ports, so those of a cluster that exists cannot change.
OTHER_CLUSTER = "start a new cluster, which takes free ports, with --data DIR"
OTHER_BLOCK = "name another first port of the cluster"
LAST_PORT = 65_535


def require_free(port: int, name: str, remedy: str = OTHER_CLUSTER) -> None:
    """Raises ClusterError, with the holder and the remedy, when `port`, meant for `name`, is taken."""
    if not is_free(port):
        raise ClusterError(f"Port {port}, which {name} needs, is held by {holder(port)}: stop that, or {remedy}.")


def require_lasting(port: int, name: str, remedy: str, outgoing: Path = OUTGOING) -> None:
    """Raises ClusterError when the system may give `port`, meant for `name`, to any outgoing connection at any time."""
    try:
        first, last = map(int, outgoing.read_text().split())
    except (OSError, ValueError):
        # Another system, which does not tell.
        return
    if first <= port <= last:
        raise ClusterError(
            f"Port {port}, meant for {name}, is one of those that this system gives to outgoing connections "
            f"({first} to {last}), so it may be taken at any start: {remedy}."
        )


def require_block(count: int, first: int) -> int:
    """`first`, when it begins `count` free ports: a new cluster keeps its ports for good.

    Raises:
        ClusterError: one of them is taken or may be at any time, or they go beyond the last port.
    """
    if first + count - 1 > LAST_PORT:
        raise ClusterError(
            f"The cluster needs {count} ports from {first} on, and {LAST_PORT} is the last: {OTHER_BLOCK}."
        )
    for port in range(first, first + count):
        require_free(port, "the cluster", OTHER_BLOCK)
        require_lasting(port, "the cluster", OTHER_BLOCK)
    return first


def find_block(count: int, first: int) -> int:
    """The first port at or after `first`, in steps of a hundred, that begins `count` free ones.

    Raises:
        ClusterError: there is no such block.
    """
    for start in range(first, HIGHEST_PORT - count, BLOCK_STEP):
        if all(is_free(port) for port in range(start, start + count)):
            return start
    raise ClusterError(f"No {count} free ports in a row were found from {first} on: name a start with --port PORT.")

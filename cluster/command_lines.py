"""The exact command line of every process of a local cluster. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .binaries import Binary
from .secrets import Tls
from .topology import LOOPBACK, Member, ReplicaSet, Router

Version = tuple[int, ...]

# In gigabytes; the server's least. Its default, half of the memory for every process, would take a laptop down.
CACHE_GB = 0.25
# In megabytes. Enough for a development load; the default takes 5 % of the disk, nine times.
OPLOG_MB = 256
# The server allocates 300 MB of journal for each process ahead of time. Without that nine members start in half the
# time and on a twentieth of the disk.
JOURNAL = "log=(prealloc=false,file_max=16MB)"


@dataclass(frozen=True)
class Parameter:
    """A `--setParameter`, with the processes and versions that know it: an unknown one keeps a server from starting."""

    name: str
    value: str
    processes: tuple[str, ...] = ("configsvr", "shardsvr")
    since: Version = (4, 4)
    before: Version | None = None

    def applies(self, process: str, version: Version) -> bool:
        return process in self.processes and self.since <= version and (self.before is None or version < self.before)


# https://www.mongodb.com/docs/manual/reference/parameters/
PARAMETERS = (
    # Nobody is let in before the first user exists: init logs in with the keyfile.
    Parameter("enableLocalhostAuthBypass", "0", ("configsvr", "shardsvr", "mongos")),
    # A change stream waits for the quietest shard: 17 s for a first event with the default of 10 s.
    Parameter("periodicNoopIntervalSecs", "1"),
    # With the default of 15 minutes a range cannot move back to a shard that it has just left.
    Parameter("orphanCleanupDelaySecs", "1"),
    # An abandoned transaction blocks its documents that long; the default is 60 s.
    Parameter("transactionLifetimeLimitSeconds", "10"),
    Parameter("ttlMonitorSleepSecs", "1"),
    # Nine processes that each sample their own state once a second are felt on two cores.
    Parameter("diagnosticDataCollectionEnabled", "false"),
    # Else 1,024 empty ranges of `config.system.sessions` drain for 20 minutes when a shard is removed. 7.1 ignores it.
    Parameter("minNumChunksForSessionsCollection", "2", ("configsvr",), before=(7, 1)),
    # How long a process that was told to stop waits for its clients, in milliseconds; the default is 15 s.
    Parameter("shutdownTimeoutMillisForSignaledShutdown", "100", since=(5, 0)),
    Parameter("mongosShutdownTimeoutMillisForSignaledShutdown", "100", ("mongos",), since=(5, 0)),
)


def set_parameters(process: str, version: Version, extra: Sequence[str] = ()) -> list[str]:
    """`--setParameter name=value ...` for a `configsvr`, `shardsvr` or `mongos` of `version`, and the `extra` ones."""
    declared = [f"{p.name}={p.value}" for p in PARAMETERS if p.applies(process, version)]
    return [word for parameter in (*declared, *extra) for word in ("--setParameter", parameter)]


def tls_flags(tls: Tls | None) -> list[str]:
    """TLS for everybody, and a certificate of the authority from everybody: mongos and mongod take the same flags."""
    if tls is None:
        return []
    return [
        *("--tlsMode", "requireTLS"),
        *("--tlsCertificateKeyFile", str(tls.certificate)),
        *("--tlsCAFile", str(tls.authority)),
        *("--tlsDisabledProtocols", "TLS1_0,TLS1_1"),
    ]


def mongod_argv(
    mongod: Binary,
    member: Member,
    db_path: Path,
    log_path: Path,
    keyfile: Path,
    extra: Sequence[str] = (),
    tls: Tls | None = None,
) -> list[str]:
    """The command line of a member. A keyfile switches authorisation on as well."""
    return [
        *mongod.command,
        f"--{member.role}",
        *("--replSet", member.set_name),
        *("--dbpath", str(db_path)),
        *("--port", str(member.port)),
        *("--bind_ip", LOOPBACK),
        *("--keyFile", str(keyfile)),
        "--nounixsocket",
        # No JavaScript on the server: `$where`, `$function` and map-reduce are refused.
        "--noscripting",
        *("--wiredTigerCacheSizeGB", str(CACHE_GB)),
        *("--wiredTigerEngineConfigString", JOURNAL),
        *("--oplogSize", str(OPLOG_MB)),
        *("--logpath", str(log_path)),
        "--logappend",
        *tls_flags(tls),
        *set_parameters(member.role, mongod.version, extra),
    ]


def router_argv(
    mongos: Binary,
    router: Router,
    config_set: ReplicaSet,
    log_path: Path,
    keyfile: Path,
    extra: Sequence[str] = (),
    tls: Tls | None = None,
) -> list[str]:
    """The command line of a router: mongos and its stand-in take the same flags."""
    return [
        *mongos.command,
        *("--configdb", config_set.seed),
        *("--port", str(router.port)),
        *("--bind_ip", LOOPBACK),
        *("--keyFile", str(keyfile)),
        *("--logpath", str(log_path)),
        *([] if mongos.is_stand_in else ["--logappend", "--nounixsocket"]),
        "--noscripting",
        *tls_flags(tls),
        *set_parameters("mongos", mongos.version, extra),
    ]

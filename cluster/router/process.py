"""Commands about the router itself: handshake, login, sessions, numbers."""

import datetime
import json
import os
import platform
import socket
import time
from collections.abc import Mapping
from typing import Any

from bson import Int64

from .errors import CommandError
from .operation import Operation
from .shards import Retry
from .tls import Tls
from .wire import MAX_DOCUMENT_BYTES, MAX_MESSAGE_BYTES

# MongoDB 6.0, the servers for which the stand-in knows the internal commands.
MAX_WIRE_VERSION = 17
SUPPORTED_SERVER = "6.0"
SESSION_TIMEOUT_MINUTES = 30
STAND_IN_WARNING = "This is Shardboard's stand-in for mongos, for development and tests only"


def hello(op: Operation) -> dict[str, Any]:
    """`hello` and the older `isMaster`: what makes a driver take this for a mongos."""
    primary = "isWritablePrimary" if op.name == "hello" else "ismaster"
    reply: dict[str, Any] = {
        primary: True,
        "msg": "isdbgrid",
        "helloOk": True,
        "maxBsonObjectSize": MAX_DOCUMENT_BYTES,
        "maxMessageSizeBytes": MAX_MESSAGE_BYTES,
        "maxWriteBatchSize": 100_000,
        "localTime": datetime.datetime.now(datetime.UTC),
        "logicalSessionTimeoutMinutes": SESSION_TIMEOUT_MINUTES,
        "connectionId": op.client.id if op.client else 0,
        "minWireVersion": 0,
        "maxWireVersion": MAX_WIRE_VERSION,
        "shardboardStandIn": True,
    }
    wanted = op.body.get("saslSupportedMechs")
    if wanted:
        found = op.on_config({"hello": 1, "saslSupportedMechs": wanted, "$db": "admin"}, Retry.IDEMPOTENT)
        reply["saslSupportedMechs"] = found.get("saslSupportedMechs", [])
    return {**reply, "ok": 1.0}


def ping(op: Operation) -> dict[str, Any]:
    return {"ok": 1.0}


def refuse_repl_set_status(op: Operation) -> dict[str, Any]:
    """In the words of a mongos: members are asked themselves."""
    return {"ok": 0.0, "errmsg": "replSetGetStatus is not supported through mongos", "info": "mongos", "code": 59,
            "codeName": "CommandNotFound"}  # fmt: skip


def build_info(op: Operation) -> dict[str, Any]:
    """`buildInfo` of the config servers' primary: the stand-in has the version of the servers it fronts."""
    return op.on_config({"buildInfo": 1, "$db": "admin"}, Retry.IDEMPOTENT)


def get_parameter(op: Operation) -> dict[str, Any]:
    return op.on_config(op.without_session(**{"$db": "admin"}), Retry.IDEMPOTENT)


def sasl(op: Operation) -> dict[str, Any]:
    return op.login.converse(dict(op.body))


def logout(op: Operation) -> dict[str, Any]:
    op.login.log_out()
    return {"ok": 1.0}


def connection_status(op: Operation) -> dict[str, Any]:
    user = op.login.user
    users = [{"user": user[0], "db": user[1]}] if user else []
    info: dict[str, Any] = {"authenticatedUsers": users, "authenticatedUserRoles": []}
    if user:
        reply = op.on_config({"usersInfo": {"user": user[0], "db": user[1]}, "showPrivileges": True, "$db": "admin"},
                             Retry.IDEMPOTENT)  # fmt: skip
        found = reply["users"][0] if reply.get("users") else {}
        info["authenticatedUserRoles"] = found.get("roles", [])
        if op.body.get("showPrivileges"):
            info["authenticatedUserPrivileges"] = found.get("inheritedPrivileges", [])
    return {"authInfo": info, "ok": 1.0}


def server_status(op: Operation) -> dict[str, Any]:
    router = op.router
    up_s = time.time() - router.started_at
    return {
        "host": f"{socket.gethostname()}:{router.address.rpartition(':')[2]}",
        "version": build_info(op)["version"],
        "process": "mongos",
        "pid": Int64(os.getpid()),
        "uptime": up_s,
        "uptimeMillis": Int64(up_s * 1000),
        "uptimeEstimate": Int64(up_s),
        "localTime": datetime.datetime.now(datetime.UTC),
        "connections": {
            "current": router.connections.current,
            "available": router.connections.available,
            "totalCreated": router.connections.total,
            "active": sum(connection.is_busy for connection in router.connections.snapshot()),
        },
        **_traffic(router.counts),
        "security": _security(router.grid.tls),
        "asserts": {"regular": 0, "warning": 0, "msg": 0, "user": 0, "rollovers": 0},
        "sharding": _sharding(op),
        "metrics": {"cursor": {"open": {"total": len(router.cursors)}}},
        "mem": {"resident": _memory_mib(1), "virtual": _memory_mib(0), "supported": True, "bits": 64},
        "shardboardStandIn": True,
        "ok": 1.0,
    }


def _security(tls: Tls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    return {
        "SSLServerSubjectName": tls.subject,
        "SSLServerHasCertificateAuthority": True,
        "SSLServerCertificateExpirationDate": tls.ends_at,
    }


OPCOUNTERS = {"insert": "insert", "query": "find", "update": "update", "delete": "delete", "getmore": "getMore"}


def _traffic(counts: Mapping[str, int]) -> dict[str, Any]:
    requests = sum(count for name, count in dict(counts).items() if not name.startswith("bytes "))
    opcounters = {name: Int64(counts[command]) for name, command in OPCOUNTERS.items()}
    opcounters["command"] = Int64(requests - sum(opcounters.values()))
    network = {"bytesIn": counts["bytes in"], "bytesOut": counts["bytes out"], "numRequests": requests}
    return {"opcounters": opcounters, "network": {name: Int64(number) for name, number in network.items()}}


def _sharding(op: Operation) -> dict[str, Any]:
    config = op.grid.config
    return {
        "configsvrConnectionString": f"{config.name}/{','.join(config.members or config.seeds)}",
        "lastSeenConfigServerOpTime": {"ts": op.grid.clock.now, "t": Int64(-1)},
    }


def _memory_mib(field: int) -> int:
    """A field of /proc/self/statm: 0 is virtual, 1 is resident."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
        return int(statm.read().split()[field]) * os.sysconf("SC_PAGE_SIZE") // (1 << 20)


def conn_pool_stats(op: Operation) -> dict[str, Any]:
    hosts = {}
    for where in [op.grid.config, *op.grid.shards.values()]:
        for address, pool in where.pools().items():
            hosts[address] = pool.counts()
    total = {name: sum(counts[name] for counts in hosts.values()) for name in ("inUse", "available", "created")}
    sets = {where.name: {"hosts": [{"addr": address, "ok": True, "ismaster": address == where.primary}
                                   for address in where.members]} for where in op.grid.shards.values()}  # fmt: skip
    return {"numClientConnections": sum(total.values()), "totalInUse": total["inUse"],
            "totalAvailable": total["available"], "totalCreated": total["created"],
            "hosts": hosts, "replicaSets": sets, "ok": 1.0}  # fmt: skip


def is_db_grid(op: Operation) -> dict[str, Any]:
    return {"isdbgrid": 1.0, "hostname": socket.gethostname(), "ok": 1.0}


def whats_my_uri(op: Operation) -> dict[str, Any]:
    return {"you": op.client.address if op.client else "", "ok": 1.0}


def host_info(op: Operation) -> dict[str, Any]:
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    system = {"currentTime": datetime.datetime.now(datetime.UTC), "hostname": socket.gethostname(), "cpuAddrSize": 64,
              "memSizeMB": Int64(memory_mib), "memLimitMB": Int64(memory_mib), "numCores": os.cpu_count(),
              "cpuArch": platform.machine(), "numaEnabled": False}  # fmt: skip
    os_ = {"type": platform.system(), "name": platform.platform(), "version": platform.release()}
    return {"system": system, "os": os_, "extra": {}, "ok": 1.0}


def get_cmd_line_opts(op: Operation) -> dict[str, Any]:
    net: dict[str, Any] = {"port": int(op.router.address.rpartition(":")[2])}
    tls = op.grid.tls
    if tls is not None:
        files = {"certificateKeyFile": tls.certificate_file, "CAFile": tls.authority_file}
        net["tls"] = {"mode": "requireTLS", **files}
    parsed = {"net": net, "security": {"keyFile": "<keyFile>"},
              "sharding": {"configDB": _sharding(op)["configsvrConnectionString"]}}  # fmt: skip
    return {"argv": ["mongos"], "parsed": parsed, "ok": 1.0}


def get_log(op: Operation) -> dict[str, Any]:
    """`getLog`: the log is a file; what a shell shows at start is that this is a stand-in."""
    name = op.body["getLog"]
    if name == "*":
        return {"names": ["global", "startupWarnings"], "ok": 1.0}
    if name not in ("global", "startupWarnings"):
        raise CommandError("OperationFailed", f"no RamLog named: {name}")
    started = datetime.datetime.fromtimestamp(op.router.started_at, datetime.UTC).isoformat(timespec="milliseconds")
    line = {"t": {"$date": started}, "s": "W", "c": "CONTROL", "id": 0, "ctx": "main", "msg": STAND_IN_WARNING}
    return {"totalLinesWritten": 1, "log": [json.dumps(line)], "ok": 1.0}


def configure_fail_point(op: Operation) -> dict[str, Any]:
    """`configureFailPoint: "failCommand"`, where test commands are enabled.

    https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point
    """
    if not op.router.test_commands:
        raise CommandError("CommandNotFound", "no such command: 'configureFailPoint'")
    if op.body[op.name] != "failCommand":
        raise CommandError("BadValue", f"the stand-in has only the fail point failCommand, not {op.body[op.name]!r}")
    mode = op.body.get("mode")
    if mode == "off":
        op.router.fail_points.clear()
    else:
        times = None if mode == "alwaysOn" else int(dict(mode).get("times", 1))  # type: ignore[arg-type]
        op.router.fail_points["failCommand"] = {"left": times, **dict((op.body.get("data") or {}).items())}
    return {"ok": 1.0}

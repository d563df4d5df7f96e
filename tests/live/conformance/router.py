"""The router itself: its state, settings, log, and what it refuses because it is none of a member's."""

import datetime

from .row import DB, Absent, admin, ask, either, fields, has, refused, row
from .stage import SHARDED

ROWS = (
    row(
        "serverStatus: what monitoring reads",
        admin(
            {"serverStatus": 1},
            {
                "host": str,
                "version": str,
                "process": lambda name: "mongos" in name,
                "pid": int,
                "uptime": int | float,
                "uptimeMillis": int,
                "uptimeEstimate": int,
                "localTime": datetime.datetime,
                "connections": has("current", "available", "totalCreated", "active"),
                "opcounters": has("insert", "query", "update", "delete", "getmore", "command"),
                "network": has("bytesIn", "bytesOut", "numRequests"),
                "mem": has("resident", "virtual", "bits"),
                "asserts": dict,
                "metrics": dict,
                "sharding": has("configsvrConnectionString", "lastSeenConfigServerOpTime"),
                "repl": Absent,
                "wiredTiger": Absent,
            },
        ),
    ),
    row(
        "serverStatus: counts go up",
        admin({"serverStatus": 1}),
        ask({"find": SHARDED}),
        admin({"serverStatus": 1}, {"opcounters.query": lambda n: n > 0}),
    ),
    row(
        "connPoolStats: connections to members",
        admin(
            {"connPoolStats": 1},
            {
                "numClientConnections": int,
                "totalInUse": int,
                "totalAvailable": int,
                "totalCreated": int,
                "hosts": dict,
                "replicaSets": dict,
            },
        ),
    ),
    row(
        "hostInfo: the machine",
        admin(
            {"hostInfo": 1},
            {
                "system": has("hostname", "numCores", "memSizeMB", "currentTime", "cpuArch"),
                "os": has("type", "name", "version"),
                "extra": dict,
            },
        ),
    ),
    row("getParameter: one", admin({"getParameter": 1, "logLevel": 1}, {"logLevel": int})),
    row("getParameter: all", admin({"getParameter": "*"}, {"logLevel": int})),
    row(
        "getParameter: unknown",
        admin({"getParameter": 1, "frob": 1}, refused(None, 72)),
        admin({"getParameter": 1}, refused(None, 72)),
    ),
    row("getParameter: only on admin", ask({"getParameter": 1, "logLevel": 1}, refused(13))),
    row(
        "setParameter: unknown",
        admin({"setParameter": 1, "frob": 1}, refused(None, 72)),
        admin({"setParameter": 1}, refused(None, 72)),
    ),
    row("setParameter: the log's detail", admin({"setParameter": 1, "logLevel": 0}, {"was": int})),
    row(
        "getCmdLineOpts: how it was started",
        admin(
            {"getCmdLineOpts": 1},
            {
                "argv": list,
                "parsed": has("net", "sharding", "security"),
                "parsed.sharding.configDB": lambda text: "/" in text,
                "parsed.net.port": int,
            },
        ),
    ),
    row("getLog: which there are", admin({"getLog": "*"}, {"names": has("global", "startupWarnings")})),
    row(
        "getLog: lines",
        admin({"getLog": "global"}, {"totalLinesWritten": int, "log": list}),
        admin({"getLog": "startupWarnings"}, {"log": list}),
    ),
    row("getLog: no such log", admin({"getLog": "frob"}, refused(None, 96)), admin({"getLog": 1}, refused(14))),
    row(
        "listCommands: every command with its help",
        admin({"listCommands": 1}, {"commands": has("find", "listCommands"), "commands.find": has("help")}),
    ),
    row(
        "currentOp: what goes on",
        admin({"currentOp": 1}, {"inprog": list}),
        admin({"currentOp": 1, "$all": True}, {"inprog": fields("host", "shard")}),
    ),
    row("currentOp: only on admin", ask({"currentOp": 1}, refused(13))),
    row(
        "killOp: one that is over",
        admin({"listShards": 1}),
        admin(lambda a: {"killOp": 1, "op": f"{a[0]['shards'][0]['_id']}:123456789"}, {"shard": str, "shardid": int}),
    ),
    row(
        "killOp: bad shapes",
        admin({"killOp": 1}, refused(4, 50759)),
        admin({"killOp": 1, "op": "nowhere:1"}, refused(70, 2)),
        admin({"killOp": 1, "op": "x"}, refused(2, 28625)),
    ),
    row(
        "getShardVersion: of a collection",
        admin(
            {"getShardVersion": f"{DB}.{SHARDED}"},
            {"version": lambda v: v.time >= 1, "versionEpoch": lambda e: e is not None},
        ),
    ),
    row("replSetGetStatus: not of a router", admin({"replSetGetStatus": 1}, refused(None, 59, 115))),
    row("replSetGetConfig: not of a router", admin({"replSetGetConfig": 1}, refused(59))),
    row(
        "configureFailPoint: only where tests are meant",
        admin({"configureFailPoint": "failCommand", "mode": "off"}, either({}, 59)),
    ),
    row("profile: not of a router", ask({"profile": 2}, refused(59, 72, 115, 2))),
)

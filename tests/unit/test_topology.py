"""The plan of a local cluster: names, ports, set documents and command lines, all without a process."""

from pathlib import Path

import pytest

from cluster.binaries import Binary
from cluster.command_lines import PARAMETERS, mongod_argv, router_argv, set_parameters
from cluster.errors import ClusterError
from cluster.topology import Member, Shape, plan_local, shape_of

MONGOD = Binary(("/opt/mongod",), (6, 0, 5))
STAND_IN = Binary(("python", "-m", "cluster.router"), (6, 0, 5), is_stand_in=True)
MONGOS = Binary(("/opt/mongos",), (8, 0, 4))
PLAN = plan_local(Shape(), 27017)


def option(argv: list[str], name: str) -> str:
    """The word after `name`."""
    return argv[argv.index(name) + 1]


def test_the_default_plan_is_three_sets_of_three_and_two_routers() -> None:
    """What `scripts/run` promises."""
    assert [s.name for s in PLAN.sets] == ["config", "shard-1", "shard-2"]
    assert {len(s.members) for s in PLAN.sets} == {3}
    assert [router.name for router in PLAN.routers] == ["router-1", "router-2"]


def test_ports_are_one_block_without_gaps_or_doubles() -> None:
    """Routers come first, so that the first port is the one to connect to."""
    ports = [node.port for node in PLAN.nodes]

    assert sorted(ports) == list(range(27017, 27017 + Shape().port_count))
    assert PLAN.routers[0].port == 27017


def test_a_plan_remembers_its_shape() -> None:
    """`up` compares what is asked for with what exists."""
    shape = Shape(shards=3, members=1, routers=1, election_timeout_ms=2_000)

    assert shape_of(plan_local(shape, 20_000)) == shape


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"shards": 0}, "0 shards are not possible"),
        ({"shards": 21}, "21 shards are not possible"),
        ({"members": 2}, "2 members a set are not possible"),
        ({"members": 9}, "9 members a set are not possible"),
        ({"routers": 0}, "0 routers are not possible"),
        ({"election_timeout_ms": 10}, "election timeout must lie between"),
    ],
)
def test_an_impossible_shape_is_refused_by_name(wishes: dict[str, int], message: str) -> None:
    """Even sets buy nothing, more than seven members cannot vote."""
    with pytest.raises(ClusterError, match=message):
        Shape.wished(wishes)


def test_a_set_document_names_every_member_and_its_role() -> None:
    """`replSetInitiate` of the config set needs `configsvr`, of a shard it must not have it."""
    config, shard = PLAN.config_set.config(2_000), PLAN.shards[0].config(2_000)

    assert config["configsvr"] is True and "configsvr" not in shard
    assert [m["host"] for m in shard["members"]] == [m.address for m in PLAN.shards[0].members]
    assert shard["settings"]["electionTimeoutMillis"] == 2_000


def test_nodes_and_sets_are_found_by_name() -> None:
    """Commands take names; an unknown one is a KeyError."""
    assert PLAN.node("shard-2-b") is PLAN.shards[1].members[1]
    assert PLAN.replica_set("config") is PLAN.config_set
    with pytest.raises(KeyError):
        PLAN.node("shard-9-a")


def mongod(member: Member, version: tuple[int, ...] = (6, 0, 5)) -> list[str]:
    """The command line of `member` on that version."""
    return mongod_argv(Binary(("/opt/mongod",), version), member, Path("/d/db"), Path("/d/log"), Path("/d/keyfile"))


def test_a_member_is_started_closed() -> None:
    """Keyfile on, localhost exception off, JavaScript off, loopback only, no socket in /tmp."""
    argv = mongod(PLAN.shards[0].members[0])

    assert argv[:2] == ["/opt/mongod", "--shardsvr"]
    assert option(argv, "--replSet") == "shard-1"
    assert option(argv, "--keyFile") == "/d/keyfile"
    assert option(argv, "--bind_ip") == "127.0.0.1"
    assert "enableLocalhostAuthBypass=0" in argv
    assert {"--noscripting", "--nounixsocket"} <= set(argv)


def test_a_config_server_says_so() -> None:
    """Its role, and the parameter that only it knows."""
    argv = mongod(PLAN.config_set.members[0])

    assert "--configsvr" in argv
    assert "minNumChunksForSessionsCollection=2" in argv
    assert "minNumChunksForSessionsCollection=2" not in mongod(PLAN.shards[0].members[0])


@pytest.mark.parametrize(
    ("version", "name", "known"),
    [
        ((4, 4, 29), "shutdownTimeoutMillisForSignaledShutdown", False),
        ((5, 0, 0), "shutdownTimeoutMillisForSignaledShutdown", True),
        ((7, 0, 14), "minNumChunksForSessionsCollection", True),
        ((8, 0, 4), "minNumChunksForSessionsCollection", False),
        ((4, 4, 29), "periodicNoopIntervalSecs", True),
    ],
)
def test_a_version_gets_only_parameters_it_knows(version: tuple[int, ...], name: str, known: bool) -> None:
    """An unknown parameter keeps a server from starting."""
    given = " ".join(set_parameters("configsvr", version))

    assert (name in given) is known


def test_every_parameter_is_declared_once() -> None:
    """Given twice the server takes the last one, which nobody reads."""
    names = [parameter.name for parameter in PARAMETERS]

    assert len(names) == len(set(names))


def test_the_stand_in_takes_the_flags_of_mongos() -> None:
    """One command line for both, but for two flags that only concern MongoDB's own."""
    router, config_set = PLAN.routers[0], PLAN.config_set

    argv = [router_argv(b, router, config_set, Path("/d/log"), Path("/d/keyfile")) for b in (STAND_IN, MONGOS)]

    stand_in, mongos = argv
    assert option(stand_in, "--configdb") == config_set.seed == option(mongos, "--configdb")
    assert set(stand_in) - set(STAND_IN.command) < set(mongos)
    assert set(mongos) - set(stand_in) == {"/opt/mongos", "--logappend", "--nounixsocket"}


def test_extra_parameters_come_last() -> None:
    """The server takes the last of two, so a test can override a default."""
    argv = set_parameters("mongos", (6, 0, 5), ["enableTestCommands=1"])

    assert argv[-2:] == ["--setParameter", "enableTestCommands=1"]

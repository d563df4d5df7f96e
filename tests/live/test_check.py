"""Drift: every kind is planted, found in a sentence, and mended by `--fix` or by the command that the line names."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pymongo import MongoClient

from cluster.__main__ import main
from cluster.local import LocalCluster
from cluster.roles import ADMIN
from cluster.topology import ReplicaSet

pytestmark = pytest.mark.timeout(180)

Client = MongoClient[dict[str, Any]]
DB = "shardboard"


@pytest.fixture(scope="module")
def client(spare_cluster: LocalCluster) -> Iterator[Client]:
    """A client of the routers that may do everything."""
    with MongoClient[dict[str, Any]](spare_cluster.uri(ADMIN)) as opened:
        yield opened


@dataclass(frozen=True)
class Drift:
    """A planted difference: how, the kind that `check` calls it, what its sentence says, whether `--fix` mends it."""

    plant: Callable[[Client], object]
    kind: str
    says: str
    is_safe: bool = True


def recreate(name: str, key: dict[str, Any] | None) -> Callable[[Client], None]:
    """A collection made by hand: sharded by `key` or not at all, without its validator and indexes."""

    def plant(client: Client) -> None:
        client[DB].drop_collection(name)
        client[DB].create_collection(name)
        if key:
            client.admin.command("shardCollection", f"{DB}.{name}", key=key)

    return plant


DRIFTS = {
    "an index is missing": Drift(
        lambda c: c[DB]["tasks"].drop_index("status_1_due_at_1__id_1"), "missing index", "tasks has no index on"
    ),
    "an index nobody declared": Drift(
        lambda c: c[DB]["tasks"].create_index("title"), "extra index", "tasks has the index title_1", False
    ),
    "an index of another kind": Drift(
        lambda c: (
            c[DB]["sessions"].drop_index("expires_at_1"),
            c[DB]["sessions"].create_index("expires_at", expireAfterSeconds=60),
        ),
        "different index",
        "the index expires_at_1 of sessions is",
        False,
    ),
    "no validator": Drift(
        lambda c: c[DB].command("collMod", "events", validator={}), "missing validator", "events has no validator"
    ),
    "a validator that was loosened": Drift(
        lambda c: c[DB].command("collMod", "audit", validator={"$jsonSchema": {"required": ["at"]}}),
        "different validator",
        "audit has another validator than declared: _id, action,",
    ),
    "a validator that only warns": Drift(
        lambda c: c[DB].command("collMod", "users", validationAction="warn"),
        "different validator",
        "users does not enforce its validator",
    ),
    "a collection is missing": Drift(
        lambda c: c[DB].drop_collection("imports"), "missing collection", "the collection imports does not exist"
    ),
    "a collection nobody declared": Drift(
        lambda c: c[DB].create_collection("scratch"),
        "undeclared collection",
        "the collection scratch is not declared",
        False,
    ),
    "a collection that is not sharded": Drift(
        recreate("reminders", None), "unsharded collection", "reminders is not sharded", False
    ),
    "a user is missing": Drift(
        lambda c: c.admin.command("dropUser", "shardboard_worker_a"),
        "missing user",
        "the user shardboard_worker_a does not exist",
    ),
    "a user has another role": Drift(
        lambda c: c.admin.command("updateUser", "shardboard_api_a", roles=["root"]),
        "different user",
        "the user shardboard_api_a has the roles root, declared is shardboard_api",
    ),
    "a user nobody declared": Drift(
        lambda c: c.admin.command("createUser", "eve", pwd="eve", roles=["readAnyDatabase"]),
        "undeclared user",
        "the user eve can reach shardboard",
        False,
    ),
    "a role has other privileges": Drift(
        lambda c: c.admin.command("grantRolesToRole", "shardboard_api", roles=["readWriteAnyDatabase"]),
        "different role",
        "the role shardboard_api has other privileges",
    ),
    "a role nobody declared": Drift(
        lambda c: c.admin.command(
            "createRole", "peek", privileges=[{"resource": {"db": DB, "collection": ""}, "actions": ["find"]}], roles=[]
        ),
        "undeclared role",
        "the role peek reaches shardboard",
        False,
    ),
    "writes that one member acknowledges": Drift(
        lambda c: c.admin.command("setDefaultRWConcern", 1, defaultWriteConcern={"w": 1}),
        "different default",
        "reads and writes that name no write concern do not use majority",
    ),
}


def check(cluster: LocalCluster, *options: str) -> int:
    return main(["check", "--data", str(cluster.data_dir.root), *options])


def run_remedies(client: Client, line: str) -> None:
    """Types the commands of a line of `check` in, as a person would into mongosh."""
    commands = re.findall(r"db\.getSiblingDB\(\"(\w+)\"\)\.runCommand\((.+?)\)(?:; |$)", line.partition("; fix: ")[2])
    assert commands, line
    for database, document in commands:
        client[database].command(json.loads(re.sub(r"([{ ])(\w+):", r'\1"\2":', document)))


@pytest.mark.parametrize("name", DRIFTS)
def test_a_planted_difference_is_found_and_mended(
    name: str, spare_cluster: LocalCluster, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with its fix and exit code 1; the fix mends it, and nothing else was touched."""
    drift = DRIFTS[name]
    drift.plant(client)

    assert check(spare_cluster) == 1

    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{drift.kind}: ")]
    assert any(drift.says in line for line in found), found
    line = next(line for line in found if drift.says in line)
    if drift.is_safe:
        assert line.endswith("fix: scripts/cluster check --fix")
    else:
        assert check(spare_cluster, "--fix") == 1
        run_remedies(client, line)
    assert check(spare_cluster, "--fix") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Everything is as declared."
    assert check(spare_cluster) == 0


def test_another_shard_key_is_found_with_the_command_that_changes_it(
    spare_cluster: LocalCluster, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """Resharding takes room and time: the command is named and never run by `--fix`, and `init` refuses."""
    recreate("events", {"_id": "hashed"})(client)
    try:
        assert check(spare_cluster, "--fix") == 1
        out = capsys.readouterr().out
        assert 'events is sharded by {"_id": "hashed"}, declared is {"owner_id": "hashed", "_id": 1}' in out
        assert '"reshardCollection": "shardboard.events"' in out
        assert main(["init", "--data", str(spare_cluster.data_dir.root)]) == 1
        assert "scripts/cluster migrate new --auto" in capsys.readouterr().err
    finally:
        client[DB].drop_collection("events")
        assert check(spare_cluster, "--fix") == 0


def test_an_index_that_one_shard_lacks_is_found(
    spare_cluster: LocalCluster, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """A build that was stopped half-way; `listIndexes` through a router would not see it."""
    shard: ReplicaSet = spare_cluster.cluster.shards[1]
    with spare_cluster.connections() as members:
        members.primary(shard)[DB]["users"].drop_index("created_at_-1__id_-1")

    assert check(spare_cluster) == 1

    assert f"on {shard.name}" in capsys.readouterr().out
    assert check(spare_cluster, "--fix") == 0


def test_json_names_kind_subject_and_remedy(
    spare_cluster: LocalCluster, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a program reads: what is left and what was fixed."""
    client[DB]["tasks"].drop_index("status_1_due_at_1__id_1")

    assert check(spare_cluster, "--json") == 1
    (row,) = json.loads(capsys.readouterr().out)["differences"]
    assert (row["kind"], row["subject"], row["safe"]) == ("missing index", "tasks.status_1_due_at_1__id_1", True)

    assert check(spare_cluster, "--json", "--fix") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["differences"] == [] and [fixed["kind"] for fixed in shown["fixed"]] == ["missing index"]

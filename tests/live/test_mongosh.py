"""MongoDB's shell as a client of a router: what a DBA types, and what comes back.

The shell is an npm package; `npm install --prefix tests/node` puts it where these tests look.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from scratch import owner_of, sharded, shards_of

from cluster.local import LocalCluster
from cluster.roles import ADMIN

MONGOSH = Path(__file__).parents[1] / "node" / "node_modules" / ".bin" / "mongosh"
LIMIT_S = 60
DATABASE = "shell_tests"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(not MONGOSH.exists(), reason="mongosh is not installed: npm install --prefix tests/node"),
]


class Shell:
    """Runs scripts in mongosh. The login is passed by the environment: arguments can be read by every process."""

    def __init__(self, uri: str, home: Path) -> None:
        self._environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ROUTER_URI": uri}
        self._script = home / "script.js"

    def text(self, script: str, database: str = DATABASE) -> str:
        """What a script prints, with `db` at `database`."""
        self._script.write_text(f"db = connect(process.env.ROUTER_URI).getSiblingDB('{database}');\n{script}\n")
        done = subprocess.run(
            [MONGOSH, "--nodb", "--quiet", "--norc", self._script],
            env=self._environ, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def value(self, expression: str, before: str = "") -> Any:
        """What an expression is, after the statements of `before`."""
        return json.loads(self.text(f"{before}\nprint(EJSON.stringify({expression}));").splitlines()[-1])


@pytest.fixture(scope="module")
def shell(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell of the user that may do everything."""
    return Shell(cluster.uri(ADMIN), tmp_path_factory.mktemp("mongosh"))


@pytest.fixture
def things(admin_client: MongoClient[Any]) -> Iterator[Collection[Any]]:
    """A sharded collection with ten documents."""
    with sharded(admin_client) as collection:
        collection.insert_many([{"_id": n} for n in range(10)])
        yield collection


def of(collection: Collection[Any]) -> str:
    """The collection as a script names it."""
    return f"db.getSiblingDB('{collection.database.name}').{collection.name}"


def test_status_shows_the_whole_cluster(shell: Shell, things: Collection[Any], admin_client: MongoClient[Any]):
    """`sh.status()`: shards, routers, balancer, databases with their collections and keys."""
    printed = shell.text("print(sh.status())")
    headings = ("shardingVersion", "shards", "active mongoses", "balancer", "databases")
    assert [heading for heading in headings if f"\n{heading}\n" not in f"\n{printed}"] == []
    assert all(name in printed for name in [*shards_of(admin_client), things.full_name, "'hashed'", "partitioned"])


def test_shards_are_listed(shell: Shell, admin_client: MongoClient[Any]):
    """`db.adminCommand({listShards: 1})`."""
    listed = shell.value("db.adminCommand({listShards: 1})")
    assert [shard["_id"] for shard in listed["shards"]] == shards_of(admin_client)


def test_a_shard_that_is_there_can_be_added_again(shell: Shell, admin_client: MongoClient[Any]):
    """`sh.addShard` of a set that is a shard says its name and changes nothing."""
    shard = admin_client.config["shards"].find_one(sort=[("_id", 1)])
    added = shell.value(f"sh.addShard('{shard['host']}')")
    assert (added["ok"], added["shardAdded"]) == (1, shard["_id"])
    assert admin_client.config["shards"].count_documents({}) == len(shards_of(admin_client)) == 2


def test_a_collection_is_sharded(shell: Shell, admin_client: MongoClient[Any]):
    """`sh.enableSharding` and `sh.shardCollection`, then a split and its distribution."""
    try:
        before = f"sh.enableSharding('{DATABASE}');"
        sharded_as = shell.value(f"sh.shardCollection('{DATABASE}.people', {{name: 1}})", before)
        assert sharded_as["collectionsharded"] == f"{DATABASE}.people"
        assert shell.value(f"sh.splitAt('{DATABASE}.people', {{name: 'm'}})")["ok"] == 1
        printed = shell.text("db.people.insertOne({name: 'ann'}); print(db.people.getShardDistribution())")
        assert "Totals" in printed
        assert admin_client[DATABASE]["people"].count_documents({"name": "ann"}) == 1
    finally:
        admin_client.drop_database(DATABASE)


def test_the_balancer_is_asked_stopped_and_started(shell: Shell):
    """`sh.getBalancerState`, `sh.stopBalancer`, `sh.startBalancer`, `sh.isBalancerRunning`; it is left as it was."""
    states = shell.value(
        "[was, stopped, started, running]",
        "const was = sh.getBalancerState(); sh.stopBalancer(); const stopped = sh.getBalancerState();"
        "sh.startBalancer(); const started = sh.getBalancerState(); const running = sh.isBalancerRunning();"
        "if (!was) { sh.stopBalancer(); }",
    )
    assert isinstance(states[0], bool)
    assert states[1:3] == [False, True]
    assert states[3]["ok"] == 1


def test_zones_are_made_and_removed(shell: Shell, things: Collection[Any], admin_client: MongoClient[Any]):
    """`sh.addShardToZone`, `sh.updateZoneKeyRange`, `sh.removeRangeFromZone`, `sh.removeShardFromZone`."""
    shard, range_ = shards_of(admin_client)[0], f"'{things.full_name}', {{_id: MinKey}}, {{_id: MaxKey}}"
    steps = (
        f"sh.addShardToZone('{shard}', 'shell')", f"sh.updateZoneKeyRange({range_}, 'shell')",
        f"sh.removeRangeFromZone({range_})", f"sh.removeShardFromZone('{shard}', 'shell')",
    )  # fmt: skip
    assert [answer["ok"] for answer in shell.value(f"[{', '.join(steps)}]")] == [1, 1, 1, 1]
    assert admin_client.config["tags"].count_documents({"tag": "shell"}) == 0


def test_a_plan_names_the_shards(shell: Shell, things: Collection[Any]):
    """`find().explain()`: one shard for a key, all for anything else."""
    one = shell.value(f"{of(things)}.find({{_id: 1}}).explain()")["queryPlanner"]["winningPlan"]
    assert (one["stage"], one["shards"][0]["shardName"]) == ("SINGLE_SHARD", owner_of(things, {"_id": 1}))
    every = shell.value(f"{of(things)}.find().explain('executionStats')")
    assert every["queryPlanner"]["winningPlan"]["stage"] == "SHARD_MERGE"
    assert every["executionStats"]["nReturned"] == 10


def test_the_plan_of_a_write_changes_nothing(shell: Shell, things: Collection[Any]):
    """`explain().update()` and `explain().remove()` name the shard and leave the documents alone."""
    explained = f"{of(things)}.explain()"
    plans = shell.value(f"[{explained}.update({{_id: 1}}, {{$set: {{x: 1}}}}), {explained}.remove({{_id: 1}})]")
    assert [plan["queryPlanner"]["winningPlan"]["stage"] for plan in plans] == ["SHARD_WRITE", "SHARD_WRITE"]
    assert things.count_documents({"x": 1}) == 0
    assert things.count_documents({}) == 10


def test_a_transaction_over_shards_is_committed(shell: Shell, things: Collection[Any]):
    """`session.startTransaction()`: nothing is seen outside before the commit, everything after it."""
    seen = shell.value(
        "[before, after]",
        f"""
        const session = db.getMongo().startSession();
        const inside = session.getDatabase('{things.database.name}').getCollection('{things.name}');
        session.startTransaction();
        for (let n = 100; n < 110; n++) {{ inside.insertOne({{_id: n}}); }}
        const before = {of(things)}.countDocuments({{_id: {{$gte: 100}}}});
        session.commitTransaction();
        const after = {of(things)}.countDocuments({{_id: {{$gte: 100}}}});
        session.endSession();
        """,
    )
    assert seen == [0, 10]


def test_an_aborted_transaction_leaves_nothing(shell: Shell, things: Collection[Any]):
    """`session.abortTransaction()`."""
    shell.text(
        f"""
        const session = db.getMongo().startSession();
        session.startTransaction();
        session.getDatabase('{things.database.name}').getCollection('{things.name}').insertOne({{_id: 200}});
        session.abortTransaction();
        """
    )
    assert things.count_documents({"_id": 200}) == 0


def test_a_watch_sees_an_insert(shell: Shell, things: Collection[Any]):
    """`watch()` on a sharded collection; a router may still show what another one wrote a moment before."""
    event = shell.value(
        "event",
        f"""
        const stream = {of(things)}.watch();
        {of(things)}.insertOne({{_id: 300}});
        let event = null;
        while (event === null || event.documentKey._id !== 300) {{ event = stream.tryNext(); }}
        stream.close();
        """,
    )
    assert (event["operationType"], event["documentKey"], event["ns"]["coll"]) == ("insert", {"_id": 300}, things.name)


def test_databases_and_collections_are_listed(shell: Shell, things: Collection[Any], cluster: LocalCluster):
    """What `show dbs`, `show collections` and `show users` ask for."""
    databases = shell.value("db.getMongo().getDBs().databases.map((found) => found.name)")
    assert {"admin", "config", things.database.name} <= set(databases)
    assert things.name in shell.value(f"db.getSiblingDB('{things.database.name}').getCollectionNames()")
    users = shell.value("db.getSiblingDB('admin').getUsers().users.map((found) => found.user)")
    assert cluster.login(ADMIN).username in users


def test_the_shell_tells_what_it_talks_to(shell: Shell):
    """`db.hello()`, `db.version()`, `db.serverStatus()`, `db.currentOp()`, `db.stats()`, as for a mongos."""
    asked = ("db.hello().msg", "db.version()", "db.serverStatus().process", "db.currentOp().ok", "db.stats().ok")
    message, version, process, operations, stats = shell.value(f"[{', '.join(asked)}]")
    assert (message, operations, stats) == ("isdbgrid", 1, 1)
    assert "mongos" in process
    assert version.count(".") == 2


def test_a_refusal_reaches_the_shell_with_its_code(shell: Shell):
    """`rs.status()` belongs to members: the shell shows the router's words."""
    answer = shell.text("try { rs.status(); print('answered'); } catch (error) { print(error.message); }")
    assert "mongos" in answer

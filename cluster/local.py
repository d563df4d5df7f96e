"""A whole cluster on this machine: what `scripts/run`, `scripts/cluster up` and the tests start and stop."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from . import bringup
from .binaries import Binary, find_mongod, mongos_command, require_tls
from .certificates import issue
from .connections import Connections, Login, account_login, system_login, uri
from .errors import ClusterError
from .inventory import DEFAULT_DATABASE
from .layout import DataDir
from .nodes import ports, room
from .nodes.local import LOCAL_HOST, LocalNodes
from .nodes.process import process_in
from .observe import ANSWER_TIMEOUT_MS, observe_all
from .progress import Progress
from .roles import Account
from .secrets import Secrets
from .sets import primary_of
from .status import ClusterStatus
from .together import together
from .topology import DEFAULT_PORT, Cluster, Member, Node, ReplicaSet, Shape, plan_local, shape_of

NO_WISHES: Mapping[str, int] = {}


class LocalCluster:
    """One local cluster in one data directory.

    `nodes` starts, stops, kills and pauses its processes; `secrets` holds its passwords; `cluster` says which
    processes those are. Commands that change processes hold the directory's lock.
    """

    def __init__(
        self,
        data_dir: DataDir,
        cluster: Cluster,
        mongod: Binary,
        mongos: Binary,
        extra_parameters: Sequence[str] = (),
        database: str = DEFAULT_DATABASE,
    ) -> None:
        self.data_dir = data_dir
        self.cluster = cluster
        self.mongod = mongod
        self.mongos = mongos
        self.database = database
        self.secrets = Secrets(data_dir.secrets, cluster.tls)
        self.nodes = LocalNodes(data_dir, cluster, mongod, mongos, self.secrets, extra_parameters)

    @classmethod
    def create(
        cls,
        root: Path,
        wishes: Mapping[str, int] = NO_WISHES,
        first_port: int | None = None,
        environ: Mapping[str, str] = os.environ,
        extra_parameters: Sequence[str] = (),
        tls: bool | None = None,
    ) -> "LocalCluster":
        """The cluster in `root`: the one that was made there before, else a new one.

        `wishes` are fields of `Shape` that are not to have their default, e.g. `{"members": 1}`. Without `first_port`
        a new one takes the first free block of ports from 27017 on. `tls` switches TLS on or off while nothing runs;
        None leaves it as it is.

        Raises:
            ClusterError: no MongoDB, no room, no free ports, a directory that cannot be written, or one that holds a
                cluster of another shape.
        """
        mongod, mongos = find_mongod(environ), mongos_command(environ)
        data_dir = DataDir(root)
        saved = data_dir.load()
        if saved is not None:
            _require_same(saved, wishes, first_port, data_dir)
            saved = _switched(saved, tls, data_dir)
            return cls(data_dir, saved, mongod, mongos, extra_parameters, _database(environ))
        shape = Shape.wished(wishes)
        data_dir.make()
        room.require_disk(data_dir.root, shape.member_count)
        count = shape.port_count
        first = ports.require_block(count, first_port) if first_port else ports.find_block(count, DEFAULT_PORT)
        cluster = replace(plan_local(shape, first), tls=bool(tls))
        data_dir.save(cluster)
        return cls(data_dir, cluster, mongod, mongos, extra_parameters, _database(environ))

    @classmethod
    def open(cls, root: Path, environ: Mapping[str, str] = os.environ) -> "LocalCluster":
        """The cluster that was made in `root`.

        Raises:
            ClusterError: there is none.
        """
        data_dir = DataDir(root)
        saved = data_dir.load()
        if saved is None:
            raise ClusterError(f"{data_dir.root} holds no cluster: run scripts/cluster up, or name the right --data.")
        return cls(data_dir, saved, find_mongod(environ), mongos_command(environ), database=_database(environ))

    @property
    def router_kind(self) -> str:
        """`mongos 6.0.5`, or `stand-in`."""
        return "stand-in" if self.mongos.is_stand_in else f"mongos {self.mongos.version_text}"

    def up(self, progress: Progress) -> bool:
        """Starts what is not running and brings it to a healthy cluster; whether anything changed.

        Raises:
            ClusterError: something is in the way. What was started keeps running; `up` again goes on from there.
        """
        with self.data_dir.locked():
            self._require_room()
            self._prepare_tls(progress)
            self._start(self.cluster.members, "start the members", progress)
            with self.connections() as connections:
                bringup.prepare_config_set(self.cluster, connections, progress, self.nodes.require_running)
                self._start(self.cluster.routers, "start the routers", progress)
                self._finish(connections, progress)
        return bool(progress.changes)

    def init(self, progress: Progress) -> bool:
        """Brings the running processes to a healthy cluster; whether anything changed.

        Raises:
            ClusterError: a process does not run, or something is in the way.
        """
        for node in self.cluster.nodes:
            self.nodes.require_running(node)
        with self.data_dir.locked(), self.connections() as connections:
            bringup.prepare_config_set(self.cluster, connections, progress, self.nodes.require_running)
            self._finish(connections, progress)
        return bool(progress.changes)

    def down(self, progress: Progress) -> bool:
        """Stops every process in order, data stays; whether any was running."""
        with self.data_dir.locked(), progress.step("stop the processes") as outcome:
            outcome.changed = self._stop()
        return outcome.changed

    def kill(self) -> None:
        """Ends every process at once, as a power cut would."""
        together(self.nodes.kill, self.cluster.nodes)

    def status(self) -> ClusterStatus:
        """The whole picture, within three seconds whatever is down."""
        return observe_all(self.cluster, self.secrets, self.database)

    def uri(self, account: Account, database: str = "") -> str:
        """A connection string to every router as `account`."""
        return uri(self.cluster.routers_address, self.login(account), database)

    def login(self, account: Account) -> Login:
        return account_login(self.secrets, account)

    def primary(self, replica_set: ReplicaSet) -> Member | None:
        """The member that is the set's primary now."""
        # A frozen member must not keep the others' answer back.
        with Connections(system_login(self.secrets), ANSWER_TIMEOUT_MS, ANSWER_TIMEOUT_MS) as connections:
            return primary_of(replica_set, connections)

    def connections(self) -> Connections:
        """Clients as the members' own identity; give them back with `with`."""
        return Connections(system_login(self.secrets))

    def _require_room(self) -> None:
        """Raises ClusterError before anything is started, when a port is taken or the memory is not there."""
        idle = [node for node in self.cluster.nodes if not self.nodes.is_running(node)]
        room.require_memory(sum(isinstance(node, Member) for node in idle))
        for node in idle:
            ports.require_free(node.port, node.name)

    def _prepare_tls(self, progress: Progress) -> None:
        """Makes certificates where they are missing, or end soon.

        Raises:
            ClusterError: a program was built without TLS.
        """
        if not self.cluster.tls:
            return
        for binary in (self.mongod, self.mongos):
            require_tls(binary)
        with progress.step("make the certificates") as outcome:
            outcome.changed = any(found.is_new for found in issue(self.secrets.directory, [(LOCAL_HOST,)]))

    def _start(self, nodes: Iterable[Node], title: str, progress: Progress) -> None:
        with progress.step(title) as outcome:
            outcome.changed = any(together(self.nodes.start, nodes))

    def _finish(self, connections: Connections, progress: Progress) -> None:
        """From a config set with a primary to a healthy cluster."""
        check = self.nodes.require_running
        bringup.prepare_shards(self.cluster, connections, progress, check)
        bringup.configure(self.cluster, connections, self.secrets, self.database, progress, check)
        bringup.verify(self.cluster, self.secrets, self.database, progress)

    def _stop(self) -> bool:
        """Routers, then the shards side by side, the config set last: shards ask it until their end."""
        routers = together(self.nodes.stop, self.cluster.routers)
        shards = together(self._stop_set, self.cluster.shards)
        return any([*routers, *shards, self._stop_set(self.cluster.config_set)])

    def _stop_set(self, replica_set: ReplicaSet) -> bool:
        """The primary first: it hands over while the others live; without them it waits for a majority in vain."""
        running = [member for member in replica_set.members if self.nodes.is_running(member)]
        if not running:
            return False
        for member in running:
            # A frozen one would neither say who is primary nor end.
            self.nodes.resume(member)
        primary = self.primary(replica_set)
        first = [member for member in running if member == primary]
        together(self.nodes.stop, first)
        together(self.nodes.stop, [member for member in running if member != primary])
        return True


def _database(environ: Mapping[str, str]) -> str:
    return environ.get("MONGODB_DB") or DEFAULT_DATABASE


def _switched(saved: Cluster, tls: bool | None, data_dir: DataDir) -> Cluster:
    """The cluster with TLS on or off, as `tls` says.

    Raises:
        ClusterError: its processes run: those with TLS and those without could not talk to each other.
    """
    if tls in (None, saved.tls):
        return saved
    if any(process_in(data_dir, node.name).pid for node in saved.nodes):
        now = "with TLS" if saved.tls else "without TLS"
        raise ClusterError(f"The cluster in {data_dir.root} runs {now}: stop it with scripts/cluster down first.")
    switched = replace(saved, tls=bool(tls))
    data_dir.save(switched)
    return switched


def _require_same(saved: Cluster, wishes: Mapping[str, int], first_port: int | None, data_dir: DataDir) -> None:
    """Raises ClusterError when what was asked for is not what `data_dir` holds."""
    is_shape, is_port = shape_of(saved), saved.routers[0].port
    differs = [f"{is_shape.of(name)} {name}" for name, wish in wishes.items() if is_shape.of(name) != wish]
    if first_port not in (None, is_port):
        differs.append(f"port {is_port}")
    if differs:
        raise ClusterError(
            f"{data_dir.root} holds a cluster with {', '.join(differs).replace('_', ' ')}: leave that option out, "
            "or start another cluster with --data DIR."
        )

"""A file that names the nodes of a cluster which runs elsewhere, as YAML:

    config: {set: config, members: [10.0.0.11:27019, 10.0.0.12:27019, 10.0.0.13:27019]}
    shards:
      - {set: shard-1, members: [10.0.0.11:27018, 10.0.0.12:27018, 10.0.0.13:27018]}
    routers: [10.0.0.21:27017, 10.0.0.22:27017]
    secrets: secrets        # the directory of keyfile and passwords, from here
    database: shardboard
    election_timeout_ms: 10000
    tls: true               # with ca.pem and client.pem among the secrets

The last four may be left out. Members know each other by these addresses: what every node reaches them by, never
`localhost` where there are several hosts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length, Range, Regexp

from .errors import ClusterError
from .topology import DEFAULT_ELECTION_TIMEOUT_MS, Cluster, Member, ReplicaSet, Role, Router

DEFAULT_DATABASE = "shardboard"
MOST_MEMBERS = 50
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Inventory:
    """A cluster somewhere: its topology, its application's database, where its secrets are."""

    cluster: Cluster
    database: str
    secrets: Path


class _Address(fields.Field[tuple[str, int]]):
    """`host:port`, e.g. `10.0.0.11:27018` or `[fd00::1]:27018`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, int]:
        host, colon, port = str(value).rpartition(":")
        if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValidationError(f"{value!r} is no address: write host:port")
        return host, int(port)


_NAME = Regexp(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", error="{input!r} is no name: use letters, digits, dots and dashes")


class _Set(Schema):
    set = fields.String(required=True, validate=_NAME)
    members = fields.List(_Address(), required=True, validate=Length(1, MOST_MEMBERS))


class _File(Schema):
    config = fields.Nested(_Set, required=True)
    shards = fields.List(fields.Nested(_Set), required=True, validate=Length(1))
    routers = fields.List(_Address(), required=True, validate=Length(1))
    secrets = fields.String(load_default="secrets")
    database = fields.String(load_default=DEFAULT_DATABASE, validate=_NAME)
    tls = fields.Boolean(load_default=False)
    election_timeout_ms = fields.Integer(load_default=DEFAULT_ELECTION_TIMEOUT_MS, validate=Range(500, 60_000))

    @validates_schema
    def require_distinct(self, data: dict[str, Any], **kwargs: Any) -> None:
        """One process is one member of one set."""
        sets = [data["config"], *data["shards"]]
        _distinct("shards", [found["set"] for found in sets], "set")
        addresses = [address for found in sets for address in found["members"]] + data["routers"]
        _distinct("members", [f"{host}:{port}" for host, port in addresses], "address")


def _distinct(name: str, values: list[str], what: str) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValidationError(f"the {what} {twice[0]} is given twice", name)


def read_inventory(path: Path) -> Inventory:
    """The inventory in `path`.

    Raises:
        ClusterError: it cannot be read, or a field makes no sense; the message names file and field.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ClusterError(f"{path} cannot be read ({error.strerror}): name another --inventory.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ClusterError(f"{path} is no YAML ({' '.join(str(error).split())}): correct it.") from error
    if not isinstance(content, dict):
        raise ClusterError(f"{path} names no nodes: write config, shards and routers into it.")
    try:
        return _inventory(_File().load(content), path.absolute().parent)
    except ValidationError as error:
        raise ClusterError(f"{path}: {_first(error.messages)}.") from error


def _first(messages: Any, where: str = "") -> str:
    """The first message with the path of its field, e.g. `shards[0].members[1]: '10.0.0.11' is no address...`."""
    if isinstance(messages, dict):
        key, rest = next(iter(messages.items()))
        step = f"[{key}]" if isinstance(key, int) else f".{key}" if where else str(key)
        return _first(rest, where + step)
    text = str(messages[0]) if isinstance(messages, list) else str(messages)
    return f"{where}: {text.rstrip('.')}"


def _inventory(loaded: dict[str, Any], directory: Path) -> Inventory:
    cluster = Cluster(
        _set(loaded["config"], "configsvr"),
        tuple(_set(shard, "shardsvr") for shard in loaded["shards"]),
        tuple(Router(f"router-{i}", host, port) for i, (host, port) in enumerate(loaded["routers"], 1)),
        loaded["election_timeout_ms"],
        loaded["tls"],
    )
    return Inventory(cluster, loaded["database"], directory / loaded["secrets"])


def _set(loaded: dict[str, Any], role: Role) -> ReplicaSet:
    name = loaded["set"]
    members = (
        Member(f"{name}-{LETTERS[i] if i < len(LETTERS) else i}", host, port, role, name)
        for i, (host, port) in enumerate(loaded["members"])
    )
    return ReplicaSet(name, role, tuple(members))

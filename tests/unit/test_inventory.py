"""An inventory file: what it becomes, and that a mistake in it is named with its field."""

from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.inventory import read_inventory

GOOD = """
config: {set: config, members: [10.0.0.11:27019]}
shards:
  - {set: shard-1, members: [10.0.0.11:27018, 10.0.0.12:27018]}
routers: [10.0.0.21:27017]
"""


def written(path: Path, text: str) -> Path:
    file = path / "nodes.yaml"
    file.write_text(text)
    return file


def test_an_inventory_becomes_a_cluster(tmp_path: Path) -> None:
    """Members are named by their set, secrets lie beside the file."""
    found = read_inventory(written(tmp_path, GOOD))

    assert [member.name for member in found.cluster.members] == ["config-a", "shard-1-a", "shard-1-b"]
    assert found.cluster.shards[0].seed == "shard-1/10.0.0.11:27018,10.0.0.12:27018"
    assert (found.database, found.secrets) == ("shardboard", tmp_path / "secrets")
    assert not found.cluster.tls and read_inventory(written(tmp_path, GOOD + "tls: true\n")).cluster.tls


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("10.0.0.12:27018", "10.0.0.12", "shards[0].members[1]: '10.0.0.12' is no address: write host:port"),
        ("10.0.0.12:27018", "10.0.0.11:27018", "members: the address 10.0.0.11:27018 is given twice"),
        ("set: shard-1", "set: config", "shards: the set config is given twice"),
        ("set: shard-1, ", "", "shards[0].set: Missing data for required field"),
        ("routers:", "router:", "routers: Missing data for required field"),
        ("[10.0.0.21:27017]", "[]", "routers: Shorter than minimum length 1"),
        ("config: {", "{", "is no YAML"),
    ],
)
def test_a_mistake_is_named_with_its_field(tmp_path: Path, before: str, after: str, says: str) -> None:
    """One sentence: the file, the field, what is wrong."""
    file = written(tmp_path, GOOD.replace(before, after))

    with pytest.raises(ClusterError) as refused:
        read_inventory(file)

    assert str(refused.value).startswith(str(file)) and says in str(refused.value)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    """A typing error must not be passed over."""
    with pytest.raises(ClusterError, match="datbase: Unknown field"):
        read_inventory(written(tmp_path, GOOD + "datbase: x"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the option that names another."""
    with pytest.raises(ClusterError, match="absent.yaml cannot be read .* name another --inventory"):
        read_inventory(tmp_path / "absent.yaml")

"""A cluster that speaks TLS and nothing else: what it serves, whom it turns away, how its certificates are renewed."""

import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from api_support import ok, sign_up
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure
from support import free_port, keep_logs

from cluster.__main__ import main
from cluster.binaries import mongos_command, require_tls
from cluster.certificates import issue, read_certificate
from cluster.errors import ClusterError
from cluster.local import LocalCluster
from cluster.progress import Progress
from cluster.roles import ADMIN, API
from cluster.run.services import Services
from cluster.together import together
from cluster.topology import Node

pytestmark = pytest.mark.timeout(180)

SHAPE = {"shards": 1, "members": 1, "routers": 1}


@pytest.fixture(scope="module")
def secure(data_dir: Path, request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """One shard of a single member and a router, with TLS, healthy."""
    try:
        require_tls(mongos_command(os.environ))
    except ClusterError as error:
        pytest.skip(str(error))
    local = LocalCluster.create(data_dir / "tls", SHAPE, free_port(5), tls=True)
    try:
        local.up(Progress(quiet=True))
        yield local
    finally:
        local.kill()
        if request.session.testsfailed:
            keep_logs(data_dir / "tls", "tls")


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates of another authority."""
    directory = tmp_path_factory.mktemp("strange")
    issue(directory)
    return directory


def options(authority: Path, certificate: Path | None) -> dict[str, Any]:
    """Of a client that believes the authority of one directory and shows the certificate of another."""
    shown = {"tlsCertificateKeyFile": str(certificate / "client.pem")} if certificate else {}
    return {"tls": True, "tlsCAFile": str(authority / "ca.pem"), **shown}


def assert_turned_away(node: Node, **given: Any) -> None:
    """No answer to `hello`, which needs no login."""
    with (
        MongoClient[dict[str, Any]](
            node.host, node.port, directConnection=True, serverSelectionTimeoutMS=600, **given
        ) as client,
        pytest.raises(ConnectionFailure),
    ):
        client.admin.command("hello")


def turned_away_everywhere(cluster: LocalCluster, **given: Any) -> None:
    """By every member and router, asked side by side: each attempt lasts a second."""
    together(lambda node: assert_turned_away(node, **given), cluster.cluster.nodes)


def presented(node: Node, secrets: Path, name: str = "localhost") -> ssl.SSLSocket:
    """A connection to `node` after the handshake, as a client of this cluster that dialled `name`."""
    context = ssl.create_default_context(cafile=secrets / "ca.pem")
    context.load_cert_chain(secrets / "client.pem")
    return context.wrap_socket(socket.create_connection((node.host, node.port), timeout=10), server_hostname=name)


def serial(node: Node, secrets: Path) -> int:
    with presented(node, secrets) as sock:
        return int((sock.getpeercert() or {})["serialNumber"], 16)


def test_the_api_in_front_serves(secure: LocalCluster) -> None:
    """API, worker and monitor find certificates in their connection strings: no setting is added."""
    services = Services(secure, free_port())
    try:
        services.start_api()
        services.start_worker()
        caller = sign_up(services.url)
        task = caller.task(title="Over TLS")

        assert ok(caller.get(f"/tasks/{task['id']}"))["title"] == "Over TLS"
        assert [found["id"] for found in ok(caller.get("/tasks"))["data"]] == [task["id"]]
        ready = ok(caller.get("//health/ready"))
        assert "answers" in str(ready)
    finally:
        services.stop()


def test_every_command_works(secure: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Status, drift, migrations, users and a second bring-up; status shows how long certificates last."""
    where = ["--data", str(secure.data_dir.root)]

    for command in (["status"], ["check"], ["migrate", "status"], ["users", "list"], ["init"], ["up"]):
        assert main([*command, *where]) == 0, command

    shown = capsys.readouterr().out
    assert shown.count("396 d left") == len(secure.cluster.nodes)
    assert "Everything is as declared." in shown and "Nothing was changed" in shown


def test_commands_work_through_a_uri(secure: LocalCluster, tmp_path: Path) -> None:
    """The URI names the files of certificates; nothing else is known of the cluster."""
    uri = tmp_path / "uri"
    uri.write_text(secure.uri(ADMIN))

    assert main(["check", "--uri", f"@{uri}", "--secrets", str(secure.data_dir.secrets)]) == 0


def test_an_inventory_says_that_its_nodes_speak_tls(
    secure: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the files among its secrets; without them, or without the line, the sentence says what is amiss."""
    config_set, (shard,) = secure.cluster.config_set, secure.cluster.shards
    content: dict[str, Any] = {
        "config": {"set": config_set.name, "members": [config_set.members[0].address]},
        "shards": [{"set": shard.name, "members": [shard.members[0].address]}],
        "routers": [secure.cluster.routers_address],
        "secrets": str(secure.data_dir.secrets),
    }
    file = tmp_path / "nodes.yaml"

    file.write_text(yaml.safe_dump({**content, "tls": True}))
    assert main(["init", "--inventory", str(file)]) == 0
    file.write_text(yaml.safe_dump({**content, "tls": True, "secrets": str(tmp_path / "none")}))
    assert main(["init", "--inventory", str(file)]) == 1
    assert "client.pem is missing" in capsys.readouterr().err
    file.write_text(yaml.safe_dump(content))
    assert main(["init", "--wait", "1", "--inventory", str(file)]) == 1
    assert "it may demand TLS" in capsys.readouterr().err


def test_a_client_without_tls_is_turned_away_everywhere(secure: LocalCluster) -> None:
    """Nothing is ever said in plain text, by members or routers."""
    turned_away_everywhere(secure)


def test_a_client_without_a_certificate_is_turned_away_everywhere(secure: LocalCluster) -> None:
    """Before the login, and before any flaw that lies before it."""
    turned_away_everywhere(secure, **options(secure.data_dir.secrets, None))


def test_a_certificate_of_another_authority_is_turned_away_everywhere(secure: LocalCluster, strange: Path) -> None:
    """The authority counts, not that there is a certificate."""
    turned_away_everywhere(secure, **options(secure.data_dir.secrets, strange))


def test_a_client_does_not_talk_to_nodes_of_another_authority(secure: LocalCluster, strange: Path) -> None:
    """Whoever answers in a node's place cannot show its certificate."""
    turned_away_everywhere(secure, **options(strange, secure.data_dir.secrets))


def test_certificates_are_good_for_the_hosts_names_only(secure: LocalCluster) -> None:
    """`localhost` and the loopback addresses; no other name leads to these nodes."""
    secrets = secure.data_dir.secrets
    for node in secure.cluster.nodes:
        for name in ("localhost", "127.0.0.1"):
            presented(node, secrets, name).close()
        with pytest.raises(ssl.SSLCertVerificationError, match="(?i)hostname mismatch"):
            presented(node, secrets, "db-1.example.org")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_of_tls_are_off(secure: LocalCluster) -> None:
    """TLS 1.2 is the least."""
    context = ssl.create_default_context(cafile=secure.data_dir.secrets / "ca.pem")
    context.load_cert_chain(secure.data_dir.secrets / "client.pem")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    for node in secure.cluster.nodes:
        with (
            socket.create_connection((node.host, node.port), timeout=10) as sock,
            pytest.raises(ssl.SSLError, match="(?i)alert protocol version"),
        ):
            context.wrap_socket(sock, server_hostname="localhost")


def test_a_silent_stranger_keeps_nobody_waiting(secure: LocalCluster) -> None:
    """Who connects and never shakes hands holds one connection, not the router."""
    router = secure.cluster.routers[0]
    strangers = [socket.create_connection((router.host, router.port)) for _ in range(20)]
    try:
        with MongoClient[dict[str, Any]](secure.uri(API), serverSelectionTimeoutMS=5_000) as client:
            assert client.admin.command("ping")["ok"] == 1
    finally:
        for stranger in strangers:
            stranger.close()


def test_no_key_is_readable_by_others_logged_or_an_argument(secure: LocalCluster) -> None:
    """Modes 400 and 600; the authority's certificate alone is for everybody. Arguments name files."""
    modes = {path.name: path.stat().st_mode & 0o777 for path in secure.data_dir.secrets.iterdir()}
    assert modes["ca.key"] == 0o400 and modes["client.pem"] == modes["node-localhost.pem"] == 0o600
    assert {name for name, mode in modes.items() if mode & 0o077 and not name.endswith(".password")} == {"ca.pem"}

    secrets = [path.read_text() for path in secure.data_dir.secrets.glob("*.pem") if path.name != "ca.pem"]
    lines = {line for text in secrets for line in text.partition("PRIVATE KEY")[2].splitlines()[1:-1]}
    logged = "".join(path.read_text(errors="replace") for path in secure.data_dir.logs.glob("*.*") if path.is_file())
    arguments = "".join(" ".join(psutil.Process(secure.nodes.pid(n)).cmdline()) for n in secure.cluster.nodes)
    assert len(lines) >= 4 and not [line for line in lines if line in logged or line in arguments]


def test_renewed_certificates_are_taken_node_by_node(secure: LocalCluster) -> None:
    """Old and new ones know each other: what was restarted and what was not go on together."""
    secrets = secure.data_dir.secrets
    router, shard = secure.cluster.routers[0], secure.cluster.shards[0].members[0]
    before = serial(shard, secrets)
    with MongoClient[dict[str, Any]](secure.uri(API)) as client:
        client.admin.command("ping")

        assert main(["secrets", "--dir", str(secrets), "--tls", "--renew"]) == 0
        assert serial(shard, secrets) == serial(router, secrets) == before
        secure.nodes.stop(shard)
        secure.up(Progress(quiet=True))

        now = read_certificate(secrets / "node-localhost.pem").serial_number
        assert (serial(shard, secrets), serial(router, secrets)) == (now, before) and now != before
        assert client[secure.database]["tasks"].count_documents({"owner_id": 1}) == 0


def test_tls_is_switched_on_while_nothing_runs(small_cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Nodes with and without it could not talk, so one that runs is in the way; later starts need no option."""
    root, member = small_cluster.data_dir.root, small_cluster.cluster.config_set.members[0]
    small_cluster.nodes.start(member)

    assert main(["up", "--tls", "--data", str(root)]) == 1
    assert "runs without TLS: stop it with scripts/cluster down first" in capsys.readouterr().err
    assert not LocalCluster.open(root).cluster.tls
    small_cluster.nodes.kill(member)

    assert LocalCluster.create(root, tls=True).cluster.tls
    assert LocalCluster.create(root).cluster.tls and LocalCluster.open(root).secrets.uses_tls
    assert not LocalCluster.create(root, tls=False).cluster.tls

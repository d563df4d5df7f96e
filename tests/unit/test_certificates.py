"""The small authority: what it signs, when it signs anew, and what a client says of a certificate that is not good."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pymongo.errors import PyMongoError

from cluster import certificates
from cluster.__main__ import main
from cluster.certificates import issue, names_of, read_certificate
from cluster.connections import Connections, Login, why
from cluster.errors import ClusterError
from cluster.secrets import Tls
from cluster.sets import wait_reachable
from cluster.topology import Router

HOSTS = (("db-1", "10.0.0.11"), ("fd00::2",))


def serials(directory: Path) -> dict[str, int]:
    return {path.name: read_certificate(path).serial_number for path in directory.glob("*.pem")}


def test_every_host_has_a_certificate_for_its_names_and_the_loopback(tmp_path: Path) -> None:
    """Members reach each other by the names of the inventory, probes by the loopback."""
    issue(tmp_path, HOSTS)

    assert names_of(tmp_path / "node-db-1.pem") == ("db-1", "localhost", "10.0.0.11", "127.0.0.1", "::1")
    assert names_of(tmp_path / "node-fd00--2.pem") == ("localhost", "fd00::2", "127.0.0.1", "::1")
    assert names_of(tmp_path / "client.pem") == ()


def test_what_is_good_is_kept_and_hosts_of_before_are_remembered(tmp_path: Path) -> None:
    """The command may be run at any time, for one more host or for none."""
    issue(tmp_path, HOSTS[:1])
    before = serials(tmp_path)

    issued = issue(tmp_path, HOSTS[1:])

    assert {found.path.name for found in issued if found.is_new} == {"node-fd00--2.pem"}
    assert {name: serial for name, serial in serials(tmp_path).items() if name in before} == before


def test_renewal_keeps_the_authority(tmp_path: Path) -> None:
    """Nodes with the old certificate and nodes with the new one go on talking to each other."""
    issue(tmp_path, HOSTS)
    before = serials(tmp_path)

    issue(tmp_path, renew=True)

    after = serials(tmp_path)
    assert after.pop("ca.pem") == before.pop("ca.pem")
    assert after.keys() == before.keys() and not set(after.values()) & set(before.values())


def test_a_certificate_that_ends_soon_is_issued_anew(tmp_path: Path) -> None:
    """Without being asked, a month ahead; nothing else changes."""
    issue(tmp_path, HOSTS, days=29)

    issued = {found.path.name: found for found in issue(tmp_path)}

    assert not issued["ca.pem"].is_new and issued["node-db-1.pem"].is_new
    assert (issued["node-db-1.pem"].until - datetime.now(UTC)).days == certificates.CERTIFICATE_DAYS - 1


def test_one_of_another_authority_is_issued_anew(tmp_path: Path) -> None:
    """Whoever makes a new authority gets everything that it must sign."""
    issue(tmp_path, HOSTS)
    (tmp_path / "ca.pem").unlink()
    (tmp_path / "ca.key").unlink()

    assert all(found.is_new for found in issue(tmp_path))


def test_nothing_is_signed_without_the_key(tmp_path: Path) -> None:
    """The key may lie elsewhere; what is good needs none."""
    issue(tmp_path, HOSTS)
    (tmp_path / "ca.key").unlink()

    assert not any(found.is_new for found in issue(tmp_path))
    with pytest.raises(ClusterError, match=r"ca\.key cannot be read .*bring the authority's key back"):
        issue(tmp_path, renew=True)


@pytest.mark.parametrize("name", ["", "-db", "db_1/../x", "a b", "10.0.0.300:1", "*"])
def test_what_is_no_host_is_refused(tmp_path: Path, name: str) -> None:
    """The name becomes a file's; nothing is made."""
    with pytest.raises(ClusterError, match="no host name"):
        issue(tmp_path, [(name,)])

    assert not list(tmp_path.iterdir())


def test_the_command_makes_files_for_their_owner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The authority's key like the keyfile; its certificate is for everybody; no key is shown."""
    directory = tmp_path / "secrets"

    assert main(["secrets", "--dir", str(directory), "--tls", "--host", "db-1,10.0.0.11"]) == 0

    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert {name: modes[name] for name in ("ca.key", "ca.pem", "node-db-1.pem", "client.pem")} == {
        "ca.key": 0o400,
        "ca.pem": 0o644,
        "node-db-1.pem": 0o600,
        "client.pem": 0o600,
    }
    shown = capsys.readouterr().out
    until = f"{read_certificate(directory / 'client.pem').not_valid_after_utc:%Y-%m-%d}"
    assert f"{directory / 'client.pem'}  600  made, until {until}" in shown and "PRIVATE" not in shown


def test_the_command_names_what_it_has_renewed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`kept` and `renewed` tell which nodes to restart."""
    main(["secrets", "--dir", str(tmp_path), "--tls", "--host", "db-1"])
    capsys.readouterr()

    main(["secrets", "--dir", str(tmp_path), "--tls", "--renew"])

    words = {line.split()[0]: line.split()[2].strip(",") for line in capsys.readouterr().out.splitlines()}
    renewed = {Path(path).name for path, word in words.items() if word == "renewed"}
    assert renewed == {"client.pem", "node-db-1.pem"} and set(words.values()) == {"renewed", "kept"}


def test_hosts_without_tls_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who forgets --tls must not believe that there are certificates."""
    assert main(["secrets", "--dir", str(tmp_path / "s"), "--host", "db-1"]) == 1

    assert "give --tls as well" in capsys.readouterr().err and not (tmp_path / "s").exists()


# What clients say of what is not good


@contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[Router]:
    """Something that shakes hands, or hangs up where it speaks no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    with suppress(OSError), sock:
                        if context is not None:
                            context.wrap_socket(sock, server_side=True).close()

        threading.Thread(target=serve, daemon=True).start()
        yield Router("router-1", "127.0.0.1", listener.getsockname()[1])
        # Wakes `accept`.
        listener.shutdown(socket.SHUT_RDWR)


def showing(directory: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / f"node-{name}.pem")
    return context


def refusal(directory: Path, node: Router) -> str:
    """What a client with the certificates in `directory` is told, at once: no waiting mends it."""
    login = Login("shardboard_admin_a", "x", tls=Tls(directory / "client.pem", directory / "ca.pem"))
    with Connections(login, 2_000, 2_000) as connections, pytest.raises(ClusterError) as refused:
        wait_reachable(connections.member(node), node)
    return str(refused.value)


def test_an_ended_certificate_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where it was seen."""
    monkeypatch.setattr(certificates, "SKEW", timedelta(days=3))
    issue(tmp_path, [("localhost",)], days=-1)

    with listening(showing(tmp_path, "localhost")) as node:
        said = refusal(tmp_path, node)

    assert said.startswith(f"router-1 is not trusted: {node.address}: its certificate has ended")
    assert "scripts/cluster secrets --tls" in said


def test_a_certificate_for_another_host_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was dialled counts, not the authority alone."""
    monkeypatch.setattr(certificates, "LOCAL_NAMES", ())
    issue(tmp_path, [("db-1", "10.0.0.11")])

    with listening(showing(tmp_path, "db-1")) as node:
        assert "its certificate is for other hosts" in refusal(tmp_path, node)


def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    """Two clusters of Shardboard have authorities of the same name and different keys."""
    issue(tmp_path / "ours")
    issue(tmp_path / "theirs", [("localhost",)])

    with listening(showing(tmp_path / "theirs", "localhost")) as node:
        assert "its certificate is of another authority" in refusal(tmp_path / "ours", node)


def test_a_node_without_tls_is_told_from_one_that_is_away(tmp_path: Path) -> None:
    """`why` is what status and timeouts show."""
    issue(tmp_path)
    login = Login("shardboard_admin_a", "x", tls=Tls(tmp_path / "client.pem", tmp_path / "ca.pem"))

    with listening(None) as node, Connections(login, 1_000) as connections, pytest.raises(PyMongoError) as refused:
        connections.member(node).admin.command("hello")

    assert "it speaks no TLS" in why(refused.value)

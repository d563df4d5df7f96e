"""A small certificate authority for one cluster, and the certificates that it signs.

ca.key          the authority's key, mode 400: whoever has it lets anybody in; keep it off the nodes
ca.pem          its certificate, which every node and client believes; no secret
node-HOST.pem   certificate and key of the members and routers on one host, for the names that they are reached by
client.pem      certificate and key of the clients: API, worker, commands

Nodes demand a certificate of every client: who has none is turned away before a login, or a flaw before it, is reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from re import fullmatch

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .errors import ClusterError
from .layout import write_private
from .secrets import CA, CA_KEY, CLIENT, NODES, create_once, node_file

CA_DAYS = 3650
# What browsers allow at most: a renewal a year.
CERTIFICATE_DAYS = 397
# Fewer days left are a problem for `status`, and a reason to issue anew.
RENEW_DAYS = 30
# Clocks of several hosts differ.
SKEW = timedelta(minutes=5)
# Every node is reached by these on its own host, by probes at the least.
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
DNS_NAME = r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*"

MAKE = "scripts/cluster secrets --tls"

# Members are servers and clients of each other.
NODE_USAGES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
CLIENT_USAGES = (ExtendedKeyUsageOID.CLIENT_AUTH,)


@dataclass(frozen=True)
class Issued:
    """A file that was looked at: whether it was issued now, and the end of its validity."""

    path: Path
    is_new: bool
    until: datetime


def issue(
    directory: Path, hosts: Sequence[Sequence[str]] = (), renew: bool = False, days: int = CERTIFICATE_DAYS
) -> tuple[Issued, ...]:
    """Makes what is missing: the authority, a certificate for each of `hosts`, the clients' one.

    `hosts` are the names of each host, e.g. `[("db-1", "10.0.0.11")]`; the first names the file. Hosts of earlier calls
    are kept. Certificates that end within 30 days are issued anew, with `renew` all of them.

    Raises:
        ClusterError: a name is none, or something must be signed and the authority's key is not there.
    """
    wanted = {path: names_of(path) for path in sorted(directory.glob(NODES))}
    wanted |= {directory / node_file(names[0]): _distinct((*names, *LOCAL_NAMES)) for names in hosts}
    general = {path: [_general(name) for name in names] for path, names in wanted.items()}
    authority = _ensure_authority(directory)
    nodes = [_ensure(path, names, NODE_USAGES, renew, days) for path, names in general.items()]
    return authority, *nodes, _ensure(directory / CLIENT, [], CLIENT_USAGES, renew, days)


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate in `path`.

    Raises:
        ClusterError: it cannot be read, or holds none.
    """
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ClusterError(f"{path} cannot be read ({error.strerror}): run `{MAKE}`.") from error
    except ValueError as error:
        raise ClusterError(f"{path} holds no certificate: remove it and run `{MAKE}`.") from error


def names_of(path: Path) -> tuple[str, ...]:
    """The host names and addresses that a certificate is good for."""
    try:
        found = read_certificate(path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress)))


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        if fullmatch(DNS_NAME, name):
            return x509.DNSName(name)
    raise ClusterError(f"{name!r} is no host name and no address: correct --host.")


# The authority


def _ensure_authority(directory: Path) -> Issued:
    """Makes it, unless it is there; two commands at once make one."""
    certificate, key = directory / CA, directory / CA_KEY
    is_new = not certificate.exists()
    if is_new:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not key.exists():
            create_once(key, _pem(generate_private_key(SECP256R1())), 0o400)
        create_once(certificate, _text(_self_signed(_read_key(key))), 0o644)
    return Issued(certificate, is_new, read_certificate(certificate).not_valid_after_utc)


def _self_signed(key: EllipticCurvePrivateKey) -> x509.Certificate:
    subject = _subject("authority", "Shardboard cluster authority")
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    builder = _builder(subject, subject, key, CA_DAYS)
    builder = builder.add_extension(constraints, critical=True)
    return builder.add_extension(_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA256())


# What it signs


def _ensure(
    path: Path,
    names: Sequence[x509.GeneralName],
    usages: Sequence[x509.ObjectIdentifier],
    renew: bool,
    days: int,
) -> Issued:
    """Issues the certificate in `path`, unless the one there is good for a while."""
    is_new = renew or not path.exists() or not _is_good(path, names)
    if is_new:
        key = generate_private_key(SECP256R1())
        write_private(path, _text(_signed(path, key, names, usages, days)) + _pem(key))
    return Issued(path, is_new, read_certificate(path).not_valid_after_utc)


def _is_good(path: Path, names: Sequence[x509.GeneralName]) -> bool:
    certificate, authority = read_certificate(path), read_certificate(path.with_name(CA))
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, InvalidSignature):
        return False
    lasts = certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=RENEW_DAYS)
    return lasts and {_general(name) for name in names_of(path)} == set(names)


def _signed(
    path: Path,
    key: EllipticCurvePrivateKey,
    names: Sequence[x509.GeneralName],
    usages: Sequence[x509.ObjectIdentifier],
    days: int,
) -> x509.Certificate:
    """A certificate for `key`, by the authority beside `path`."""
    authority, signing_key = read_certificate(path.with_name(CA)), _read_key(path.with_name(CA_KEY))
    # A member takes whoever has its own subject's organisation and unit for a member where X.509 logs in.
    unit = "nodes" if names else "clients"
    builder = _builder(_subject(unit, path.stem), authority.subject, key, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    builder = builder.add_extension(issuer_key, critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signing_key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    """What every certificate has. https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1"""
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - SKEW).not_valid_after(now + timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _subject(unit: str, name: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, "Shardboard"), (NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in (*parts, (NameOID.COMMON_NAME, name[:64]))])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _pem(key: EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _read_key(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ClusterError(
            f"{path} cannot be read ({error.strerror}): bring the authority's key back, nothing can be signed without."
        ) from error
    except ValueError as error:
        raise ClusterError(f"{path} holds no key: bring the authority's key back.") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ClusterError(f"{path} holds a key of another kind: bring the authority's key back.")
    return key

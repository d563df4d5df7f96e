"""TLS of the router: towards its clients, as a server, and towards the members, as a client."""

import socket
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509


class Tls:
    """One certificate for both directions, valid until `ends_at`; and the authority that must have signed all others.

    Raises: OSError when a file cannot be read or holds no certificate.
    """

    def __init__(self, certificate_file: str, authority_file: str) -> None:
        self.certificate_file, self.authority_file = certificate_file, authority_file
        self._server = self._context(ssl.PROTOCOL_TLS_SERVER)
        self._client = self._context(ssl.PROTOCOL_TLS_CLIENT)
        own = x509.load_pem_x509_certificate(Path(certificate_file).read_bytes())
        self.subject, self.ends_at = own.subject.rfc4514_string(), own.not_valid_after_utc

    def _context(self, protocol: "ssl._SSLMethod") -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A client without a certificate is turned away; members are checked against the address as well.
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.authority_file)
        context.load_cert_chain(self.certificate_file)
        return context

    def to_client(self, sock: socket.socket) -> ssl.SSLSocket:
        """Shakes hands with a client. Raises: OSError."""
        return self._server.wrap_socket(sock, server_side=True)

    def to_member(self, sock: socket.socket, host: str) -> ssl.SSLSocket:
        """Shakes hands with the member at `host`. Raises: OSError."""
        return self._client.wrap_socket(sock, server_hostname=host)

    def driver_options(self) -> dict[str, Any]:
        """As `MongoClient` takes it."""
        return {"tls": True, "tlsCAFile": self.authority_file, "tlsCertificateKeyFile": self.certificate_file}

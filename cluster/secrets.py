"""Keyfile, passwords and certificates: generated, never chosen, kept in files that only their owner can read."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import ClusterError

KEYFILE = "keyfile"
CA, CA_KEY, CLIENT, NODES = "ca.pem", "ca.key", "client.pem", "node-*.pem"
# Characters that need no escaping in a URI, a shell or an env file.
PASSWORD_BYTES = 24
# MongoDB takes 6 to 1024 base64 characters; 756 bytes is what its manual generates.
KEYFILE_BYTES = 756


def node_file(host: str) -> str:
    """The file of the certificate of the nodes on `host`."""
    return NODES.replace("*", host.replace(":", "-"))


@dataclass(frozen=True)
class Tls:
    """What one side of a connection has: its own certificate with the key, and the authority that it believes."""

    certificate: Path
    authority: Path


class Secrets:
    """The secrets in one directory. A secret is made when it is first asked for and never changes after.

    `uses_tls` says whether the cluster speaks TLS; `cluster.certificates` makes what it needs for that.
    """

    def __init__(self, directory: Path, uses_tls: bool = False) -> None:
        self.directory = directory
        self.uses_tls = uses_tls

    @property
    def client_tls(self) -> Tls | None:
        """What clients show and believe; None where the cluster speaks no TLS.

        Raises:
            ClusterError: a file is missing.
        """
        return self._tls(CLIENT)

    def node_tls(self, host: str) -> Tls | None:
        """What the nodes on `host` show and believe; None where the cluster speaks no TLS.

        Raises:
            ClusterError: a file is missing.
        """
        return self._tls(node_file(host))

    def _tls(self, file_name: str) -> Tls | None:
        if not self.uses_tls:
            return None
        found = Tls(self.directory / file_name, self.directory / CA)
        for path in (found.certificate, found.authority):
            if not path.exists():
                raise ClusterError(
                    f"{path} is missing: bring it, or run `scripts/cluster secrets --tls --dir {path.parent}`."
                )
        return found

    @property
    def keyfile(self) -> Path:
        """The file that members know each other by, mode 400: mongod refuses one that others can read."""
        self._ensure(KEYFILE, _new_key, mode=0o400)
        return self.directory / KEYFILE

    @property
    def system_password(self) -> str:
        """The password of `__system`: the key without white space."""
        return "".join(self.keyfile.read_text().split())

    def password(self, name: str) -> str:
        """The password of the database user or person `name`, e.g. `shardboard_api_a`."""
        return self._ensure(f"{name}.password", new_password)

    def generation(self, account: str) -> str:
        """Which of an account's two users is in use: `a` or `b`.

        `<account>.password` is a link to the password file of that user.
        """
        link = self._link(account)
        if not link.is_symlink():
            self.use_generation(account, "a")
        return str(link.readlink()).removesuffix(".password")[-1]

    def use_generation(self, account: str, generation: str) -> None:
        """From now on the account logs in as its user of that generation; replaced in one step."""
        user = f"{account}_{generation}"
        self.password(user)
        fresh = self.directory / f".{account}.{secrets.token_hex(4)}"
        fresh.symlink_to(f"{user}.password")
        fresh.replace(self._link(account))

    def _link(self, account: str) -> Path:
        return self.directory / f"{account}.password"

    def forget_password(self, name: str) -> None:
        """The next one that is asked for is a new one."""
        (self.directory / f"{name}.password").unlink(missing_ok=True)

    def key(self, name: str) -> str:
        """A signing key of 256 bits, e.g. `jwt`."""
        return self._ensure(f"{name}.key", lambda: secrets.token_hex(32))

    def _ensure(self, file_name: str, make: Callable[[], str], mode: int = 0o600) -> str:
        path = self.directory / file_name
        if not path.exists():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_once(path, make(), mode)
        return path.read_text().strip()


def create_once(path: Path, text: str, mode: int) -> None:
    """Writes `path` unless another process has just done so; nobody ever sees half of it."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        # What is for everybody is for everybody whatever the umask is: commands keep what they write to themselves.
        os.fchmod(file.fileno(), mode)
        file.write(text + "\n")
    try:
        os.link(fresh, path)
    except FileExistsError:
        return
    finally:
        fresh.unlink()


def new_password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


def _new_key() -> str:
    # Written without line breaks: a YAML list of keys, for rotation, takes it as it is.
    return secrets.token_urlsafe(KEYFILE_BYTES).replace("-", "+").replace("_", "/")

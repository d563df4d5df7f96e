"""Consistency tokens: a point in the cluster's logical time, handed to a client with a write and sent back with a read.

A read with one runs in a session that has been moved on to that point, so it sees the write whichever worker and router
serve it; the server waits until its data is that new. A token is signed: nobody can make one up that would make a read
wait for ever. https://github.com/mongodb/specifications/blob/master/source/causal-consistency/causal-consistency.md
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import Binary, Int64, Timestamp
from pymongo.client_session import ClientSession

HEADER = "X-Consistency-Token"
LABEL = b"shardboard consistency 1"
SIGNATURE_BYTES = 16
HASH_BYTES = 20

# Operation time and cluster time (seconds, ordinal), the key of the cluster's own signature, and that signature.
_LAYOUT = struct.Struct(f">IIIIq{HASH_BYTES}s")


class BadToken(ValueError):
    """The text is no token of ours. Nothing in it may be believed."""


@dataclass(frozen=True)
class Moment:
    """What a reply said of the time: that of the operation, and the cluster's latest, as the cluster signed it."""

    operation_time: Timestamp
    cluster_time: Mapping[str, Any]

    @classmethod
    def of_reply(cls, reply: Mapping[str, Any]) -> "Moment | None":
        """The moment in a server's reply; None in one that tells no times."""
        operation_time, cluster_time = reply.get("operationTime"), reply.get("$clusterTime")
        return cls(operation_time, cluster_time) if operation_time and cluster_time else None

    def move(self, session: ClientSession) -> None:
        """Make `session` see whatever had happened by then."""
        session.advance_cluster_time(self.cluster_time)
        session.advance_operation_time(self.operation_time)


class TokenSigner:
    """Makes and reads tokens. Its keys are derived from those of access tokens, so they rotate together."""

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        self._keys = [hmac.digest(secret.encode(), LABEL, "sha256") for _, secret in keys]

    def seal(self, moment: Moment) -> str:
        """The token of `moment`, 80 characters."""
        at, cluster = moment.operation_time, moment.cluster_time["clusterTime"]
        # A cluster without authorisation signs nothing.
        signature = moment.cluster_time.get("signature") or {"hash": b"", "keyId": 0}
        times = (at.time, at.inc, cluster.time, cluster.inc)
        payload = _LAYOUT.pack(*times, signature["keyId"], bytes(signature["hash"]))
        return urlsafe_b64encode(self._sign(self._keys[0], payload) + payload).decode().rstrip("=")

    def open(self, token: str) -> Moment:
        """The moment in `token`.

        Raises:
            BadToken: not one of ours.
        """
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (BadBase64, ValueError) as error:
            raise BadToken("not base64url") from error
        # Decoding skips foreign characters and spare bits: only the one spelling counts.
        if urlsafe_b64encode(raw).decode().rstrip("=") != token or len(raw) != SIGNATURE_BYTES + _LAYOUT.size:
            raise BadToken("spelling")
        signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not any(hmac.compare_digest(signature, self._sign(key, payload)) for key in self._keys):
            raise BadToken("signature")
        return _moment(*_LAYOUT.unpack(payload))

    @staticmethod
    def _sign(key: bytes, payload: bytes) -> bytes:
        return hmac.digest(key, payload, "sha256")[:SIGNATURE_BYTES]


def _moment(at: int, at_inc: int, cluster: int, cluster_inc: int, key_id: int, digest: bytes) -> Moment:
    signature = {"hash": Binary(digest), "keyId": Int64(key_id)}
    return Moment(Timestamp(at, at_inc), {"clusterTime": Timestamp(cluster, cluster_inc), "signature": signature})

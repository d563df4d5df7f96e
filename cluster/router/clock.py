"""The cluster's logical time, signed for clients.

Members do not check a time that `__system` sends, so the router must check what its clients send: a forged time far in
the future would be taken by the whole cluster. Signatures are made with the cluster's own keys (`admin.system.keys`).
https://github.com/mongodb/specifications/blob/master/source/causal-consistency/causal-consistency.md
"""

import hmac
import struct
import threading
from collections.abc import Callable, Mapping
from typing import Any

from bson import Binary, Int64, Timestamp

from .errors import CommandError

Keys = Callable[[], list[Mapping[str, Any]]]


class Clock:
    """The latest cluster time seen. `read_keys` gives documents like `{"_id": 1, "key": b"...", "expiresAt": ...}`."""

    def __init__(self, read_keys: Keys) -> None:
        self._read_keys = read_keys
        self._lock = threading.Lock()
        self._now: Timestamp | None = None
        self._keys: dict[int, bytes] = {}
        self._signed: dict[str, Any] | None = None

    @property
    def now(self) -> Timestamp | None:
        return self._now

    @property
    def can_sign(self) -> bool:
        """False in the first moments of a cluster, before the config servers have made keys."""
        return bool(self._keys)

    def advance(self, seen: Timestamp) -> None:
        """Take a time from a member, if it is later."""
        with self._lock:
            if self._now is None or seen > self._now:
                self._now = seen

    def advance_from_client(self, document: Any) -> None:
        """Take a `$clusterTime` from a client, if a router of this cluster has signed it.

        Raises: CommandError TimeProofMismatch.
        """
        seen = document.get("clusterTime") if isinstance(document, Mapping) else None
        if not isinstance(seen, Timestamp):
            raise CommandError("BadValue", "$clusterTime must hold a timestamp clusterTime")
        if self._now is not None and seen <= self._now:
            return
        signature = document.get("signature")
        key_id, proof = (signature.get("keyId"), signature.get("hash")) if isinstance(signature, Mapping) else (0, b"")
        key = self._key(key_id) if isinstance(key_id, int) else None
        if key is None or not isinstance(proof, bytes) or not hmac.compare_digest(_digest(key, seen), proof):
            raise CommandError("TimeProofMismatch", "Proof does not match the cluster time")
        self.advance(seen)

    def signed(self) -> dict[str, Any] | None:
        """The latest time as a client may send it back; None before any member has told one, or a key is known."""
        now, keys, last = self._now, self._keys, self._signed
        if now is None or not keys:
            return None
        if last is None or last["clusterTime"] != now:
            key_id, key = max(keys.items())
            signature = {"hash": Binary(_digest(key, now)), "keyId": Int64(key_id)}
            last = self._signed = {"clusterTime": now, "signature": signature}
        return last

    def _key(self, key_id: int) -> bytes | None:
        if key_id not in self._keys:
            self.refresh()
        return self._keys.get(key_id)

    def refresh(self) -> None:
        """Read the keys anew; they are made by the config servers and rotate every three months."""
        found = {int(document["_id"]): bytes(document["key"]) for document in self._read_keys()}
        with self._lock:
            self._keys = found


def _digest(key: bytes, at: Timestamp) -> bytes:
    return hmac.digest(key, struct.pack("<II", at.inc, at.time), "sha1")

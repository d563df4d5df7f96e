"""The opaque cursor of a list: where the last page ended, signed and bound to the list it came from.

It holds the sort value and id of the last item and a hash of caller, filter and sort, so that it can be neither made
up nor used with another list.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bson import BSON, ObjectId
from bson.codec_options import CodecOptions
from bson.errors import BSONError

# 128 bits: nobody finds a second text with the same signature.
SIGNATURE_BYTES = 16
LABEL = b"shardboard cursor 1"
TZ_AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)


class BadCursor(ValueError):
    """The cursor was changed, cut, or belongs to another list."""


@dataclass(frozen=True)
class Position:
    """The last item that a client has seen: the value it is sorted by, and its id."""

    value: Any
    item_id: ObjectId


class CursorSigner:
    """Makes and reads cursors. Its keys are derived from the token keys, so they rotate together."""

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        self._keys = [hmac.digest(secret.encode(), LABEL, "sha256") for _, secret in keys]

    def seal(self, position: Position, binding: str) -> str:
        """The cursor of `position` in the list that `binding` identifies."""
        payload = BSON.encode({"v": position.value, "i": position.item_id, "b": _digest(binding)})
        return _text(self._sign(self._keys[0], payload) + payload)

    def open(self, cursor: str, binding: str) -> Position:
        """The position in `cursor`.

        Raises:
            BadCursor: not one of ours, or from another list.
        """
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            # Decoding skips foreign characters and spare bits: only the one spelling counts.
            if _text(raw) != cursor:
                raise BadCursor("spelling")
            signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
            if not any(hmac.compare_digest(signature, self._sign(key, payload)) for key in self._keys):
                raise BadCursor("signature")
            content = BSON(payload).decode(TZ_AWARE)
        except (BadBase64, BSONError, ValueError) as error:
            raise BadCursor("not a cursor") from error
        if content["b"] != _digest(binding):
            raise BadCursor("of another list")
        return Position(content["v"], content["i"])

    @staticmethod
    def _sign(key: bytes, payload: bytes) -> bytes:
        return hmac.digest(key, payload, "sha256")[:SIGNATURE_BYTES]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _digest(binding: str) -> bytes:
    return hashlib.sha256(binding.encode()).digest()[:SIGNATURE_BYTES]

"""Log in to a member as `__system`, with SCRAM-SHA-256 (RFC 5802, RFC 7677)."""

import base64
import functools
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any

Run = Callable[[dict[str, Any]], dict[str, Any]]


class LoginFailed(Exception):
    """A member refused the keyfile's key, or could not prove that it knows it."""


def log_in_as_system(run: Run, key: str) -> None:
    """Authenticate the connection behind `run` as user `__system` of `local`.

    Raises: LoginFailed.
    """
    nonce = base64.b64encode(secrets.token_bytes(24)).decode()
    first = f"n=__system,r={nonce}"
    start = {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": b"n,," + first.encode(), "$db": "local",
             "options": {"skipEmptyExchange": True}}  # fmt: skip
    reply = _checked(run(start))
    challenge = bytes(reply["payload"]).decode()
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    if not fields["r"].startswith(nonce):
        raise LoginFailed("the member answered with another nonce")
    salted = _salted_password(key, base64.b64decode(fields["s"]), int(fields["i"]))
    final = f"c=biws,r={fields['r']}"
    transcript = f"{first},{challenge},{final}".encode()
    proof = _proof(salted, transcript)
    finish = {"saslContinue": 1, "conversationId": reply["conversationId"], "payload": f"{final},p={proof}".encode(),
              "$db": "local"}  # fmt: skip
    reply = _checked(run(finish))
    if bytes(reply["payload"]) != b"v=" + _server_signature(salted, transcript):
        raise LoginFailed("the member does not know the key")


def _checked(reply: dict[str, Any]) -> dict[str, Any]:
    if not reply.get("ok"):
        raise LoginFailed(str(reply.get("errmsg")))
    return reply


@functools.lru_cache(maxsize=64)
def _salted_password(key: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", key.encode(), salt, iterations)


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _proof(salted: bytes, transcript: bytes) -> str:
    client_key = _mac(salted, b"Client Key")
    signature = _mac(hashlib.sha256(client_key).digest(), transcript)
    return base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()


def _server_signature(salted: bytes, transcript: bytes) -> bytes:
    return base64.b64encode(_mac(_mac(salted, b"Server Key"), transcript))

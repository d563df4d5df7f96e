"""Access tokens (JWT, HS256) and refresh tokens (opaque, stored hashed). Pure: no database, no request.

An access token is signed by the first key and verified by the one its `kid` names, out of ours alone: `jku`, `jwk`
and other algorithms are never looked at. https://www.rfc-editor.org/rfc/rfc8725
"""

import hashlib
import hmac
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import jwt
from bson import ObjectId

from .ids import BadId, parse_object_id

ALGORITHM = "HS256"
ISSUER = "shardboard"
AUDIENCE = "shardboard-api"
REQUIRED_CLAIMS = ["iss", "aud", "sub", "exp", "iat", "jti", "sid", "role"]

# Clocks of two API hosts may differ by this much.
CLOCK_SKEW_S = 5

# Verified tokens that a process remembers: a check costs 56 us, and dashboards repeat theirs.
REMEMBERED = 10_000

# The end of the year 9999: what is later is no time that Python knows.
LAST_SECOND = 253_402_300_799

# As `new_session_id` makes them, with room for other lengths.
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)

# Decoding base64 skips foreign characters; a token has none. https://www.rfc-editor.org/rfc/rfc7515#section-7.1
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)

# The end of a refresh token's secret: 128 bits, by which it is known as ours when it has long been replaced.
MARK_LABEL = b"shardboard refresh token 1"
MARK_BYTES = 16
MARK_CHARACTERS = 22


class BadToken(Exception):
    """The text is no token of ours, or not one any more. Nothing in it may be believed."""


@dataclass(frozen=True)
class Claims:
    """What a verified access token says; times in seconds since 1970."""

    user_id: ObjectId
    session_id: str
    role: str
    issued_at: int
    expires_at: int


class TokenKeys:
    """The keys of access tokens: the first signs, every one verifies."""

    def __init__(self, keys: Sequence[tuple[str, str]], lifetime_s: int) -> None:
        self._signing_kid = keys[0][0]
        self._keys = dict(keys)
        self._verified: dict[str, Claims] = {}
        self.lifetime_s = lifetime_s

    def issue(self, user_id: ObjectId, session_id: str, role: str) -> str:
        """A new access token."""
        issued_at = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": session_id,
            "role": role,
            "iat": issued_at,
            "exp": issued_at + self.lifetime_s,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims, self._keys[self._signing_kid], ALGORITHM, {"kid": self._signing_kid})

    def verify(self, token: str) -> Claims:
        """The claims of `token`.

        Raises:
            BadToken: not signed by one of our keys, a claim is missing or wrong, or it has expired.
        """
        claims = self._verified.get(token) or self._decode(token)
        if claims.expires_at + CLOCK_SKEW_S <= time.time():
            self._verified.pop(token, None)
            raise BadToken("expired")
        return claims

    def _decode(self, token: str) -> Claims:
        if not _COMPACT.fullmatch(token):
            raise BadToken("not a token")
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            options: jwt.types.Options = {"require": REQUIRED_CLAIMS}
            raw = jwt.decode(token, key, [ALGORITHM], options, audience=AUDIENCE, issuer=ISSUER, leeway=CLOCK_SKEW_S)
            claims = _claims(raw)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, BadId) as error:
            raise BadToken("not a token of ours") from error
        if len(self._verified) >= REMEMBERED:
            self._verified.clear()
        self._verified[token] = claims
        return claims

    def new_secret(self, session_id: str) -> str:
        """The secret of a refresh token: 256 random bits and our mark."""
        random = secrets.token_urlsafe(32)
        return random + _mark(self._keys[self._signing_kid], session_id, random)

    def gave_out(self, session_id: str, secret: str) -> bool:
        """Whether `secret` was ever the session's, under keys that are still listed."""
        random, mark = secret[:-MARK_CHARACTERS], secret[-MARK_CHARACTERS:].encode()
        return any(hmac.compare_digest(mark, _mark(key, session_id, random).encode()) for key in self._keys.values())


def _mark(key: str, session_id: str, random: str) -> str:
    """Only who has the key can make it: a session's id alone must not be enough to end the session."""
    marking_key = hmac.digest(key.encode(), MARK_LABEL, "sha256")
    mark = hmac.digest(marking_key, f"{session_id}.{random}".encode(), "sha256")[:MARK_BYTES]
    return urlsafe_b64encode(mark).decode().rstrip("=")


def _claims(raw: dict[str, object]) -> Claims:
    if not isinstance(raw["sid"], str) or not isinstance(raw["role"], str) or not isinstance(raw["sub"], str):
        raise BadToken("claims of the wrong type")
    if not _SESSION_ID.fullmatch(raw["sid"]):
        raise BadToken("no session of ours")
    issued_at, expires_at = raw["iat"], raw["exp"]
    if type(issued_at) is not int or type(expires_at) is not int or expires_at > LAST_SECOND:
        raise BadToken("times of the wrong type")
    return Claims(parse_object_id(raw["sub"]), raw["sid"], raw["role"], issued_at, expires_at)


def new_session_id() -> str:
    """The id of a login, 192 random bits."""
    return secrets.token_urlsafe(24)


def hash_secret(secret: str) -> str:
    """What is stored of a secret. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def join_refresh_token(session_id: str, secret: str) -> str:
    """The refresh token as clients keep it: `sid.secret`."""
    return f"{session_id}.{secret}"


def split_refresh_token(token: str) -> tuple[str, str]:
    """`(session_id, secret)`.

    Raises:
        BadToken: not of that form.
    """
    session_id, dot, secret = token.partition(".")
    if not dot or not 16 <= len(session_id) <= 64 or not 16 <= len(secret) <= 128:
        raise BadToken("not a refresh token")
    return session_id, secret

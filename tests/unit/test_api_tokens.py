"""Access tokens: ours, whole and fresh, or nothing. Refresh tokens: opaque."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from bson import ObjectId

from api.tokens import (
    AUDIENCE,
    CLOCK_SKEW_S,
    ISSUER,
    BadToken,
    TokenKeys,
    hash_secret,
    join_refresh_token,
    new_session_id,
    split_refresh_token,
)

SECRET, OLD_SECRET = "s" * 20 + "1234567890abcdef", "o" * 20 + "1234567890abcdef"
USER_ID, SESSION_ID = ObjectId(), "session-1234567890"
KEYS = TokenKeys([("new", SECRET), ("old", OLD_SECRET)], 900)


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims with some exchanged; None leaves one out."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(USER_ID), "iat": now, "exp": now + 60, "jti": "j" * 16}
    merged = {**good, "sid": SESSION_ID, "role": "member", **changes}
    return {name: value for name, value in merged.items() if value is not None}


def signed(secret: str = SECRET, algorithm: str = "HS256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), secret, algorithm, {"kid": "new"} if header is None else header)


def test_an_issued_token_is_verified() -> None:
    """And says whose it is."""
    found = KEYS.verify(KEYS.issue(USER_ID, SESSION_ID, "admin"))

    assert (found.user_id, found.session_id, found.role) == (USER_ID, SESSION_ID, "admin")
    assert found.expires_at - found.issued_at == 900


def test_keys_rotate_without_logging_anybody_out() -> None:
    """The old key verifies while it is listed, and signs nothing."""
    assert KEYS.verify(signed(OLD_SECRET, header={"kid": "old"})).user_id == USER_ID
    assert jwt.get_unverified_header(KEYS.issue(USER_ID, SESSION_ID, "member"))["kid"] == "new"


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("iss", "aud", "sub", "exp", "iat", "jti", "sid", "role")),
        {"iss": "other"},
        {"aud": "other"},
        {"sub": "x" * 24},
        {"sub": {"$ne": ""}},
        {"sub": 5},
        {"sid": {"$ne": ""}},
        {"sid": "session-\ud800-1234567890"},
        {"sid": "x" * 65},
        {"role": ["admin"]},
        {"exp": 1},
        {"exp": "never"},
        {"exp": 10**30},
        {"exp": 4e9 + 0.5},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
    ],
)
def test_a_claim_that_is_missing_or_wrong_is_refused(changes: dict[str, Any]) -> None:
    """Signed by the right key, and still not believed."""
    with pytest.raises(BadToken):
        KEYS.verify(forged(changes))


def forged(changes: dict[str, Any]) -> str:
    """A rightly signed token whose claims PyJWT itself would not make."""
    return jwt.PyJWS().encode(json.dumps(claims(**changes)).encode(), SECRET, "HS256", {"kid": "new"})


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"kid": "none"},
        {"kid": "old"},
        {"kid": "../../dev/null"},
        {"jku": "https://evil.example.org/keys", "kid": "x"},
        {"jwk": {"kty": "oct", "k": base64.urlsafe_b64encode(b"k" * 32).decode()}, "kid": "x"},
    ],
)
@pytest.mark.parametrize("secret", ["k" * 32, SECRET], ids=["its own", "ours"])
def test_a_header_that_names_no_key_of_ours_is_refused(header: dict[str, Any], secret: str) -> None:
    """RFC 8725: a key comes from our list alone, and is the one that is named. Who names none has none."""
    with pytest.raises(BadToken):
        KEYS.verify(signed(secret, header=header))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    """Even with the right key, of a length that is right for it."""
    keys = TokenKeys([("new", SECRET * 2)], 900)
    assert keys.verify(signed(SECRET * 2)).user_id == USER_ID

    with pytest.raises(BadToken):
        keys.verify(signed(SECRET * 2, algorithm))


def test_an_unsigned_token_is_refused() -> None:
    """`alg: none`, as every attacker tries first."""
    with pytest.raises(BadToken):
        KEYS.verify(jwt.encode(claims(), "", "none", {"kid": "new"}))


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "....", "Bearer x", "\0", "é.é.é", "a" * 8000])
def test_what_is_no_token_is_refused(text: str) -> None:
    """And breaks nothing."""
    with pytest.raises(BadToken):
        KEYS.verify(text)


def test_foreign_characters_in_a_token_are_not_skipped() -> None:
    """Lenient base64 would give one token many spellings."""
    with pytest.raises(BadToken):
        KEYS.verify(KEYS.issue(USER_ID, SESSION_ID, "member") + "\n")


def test_a_remembered_token_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache saves the signature, never the clock."""
    token = KEYS.issue(USER_ID, SESSION_ID, "member")
    KEYS.verify(token)
    later = time.time() + 900 + CLOCK_SKEW_S + 1
    monkeypatch.setattr("api.tokens.time.time", lambda: later)

    with pytest.raises(BadToken):
        KEYS.verify(token)


def test_a_refresh_token_is_split_as_it_was_joined() -> None:
    """`sid.secret`; what is stored is a hash."""
    session_id = new_session_id()
    secret = KEYS.new_secret(session_id)

    assert split_refresh_token(join_refresh_token(session_id, secret)) == (session_id, secret)
    assert secret not in hash_secret(secret)


def test_a_secret_that_was_given_out_is_known_as_ours() -> None:
    """However long ago, of its own session alone, and under an old key; nobody can make one up."""
    secret = KEYS.new_secret(SESSION_ID)
    old = TokenKeys([("old", OLD_SECRET)], 900).new_secret(SESSION_ID)
    other = TokenKeys([("other", "x" * 32)], 900).new_secret(SESSION_ID)

    assert KEYS.gave_out(SESSION_ID, secret)
    assert KEYS.gave_out(SESSION_ID, old)
    assert not KEYS.gave_out("session-0987654321", secret)
    for made_up in (other, "x" + secret[1:], secret[:-1] + "é", "x" * 43, "é" * 20):
        assert not KEYS.gave_out(SESSION_ID, made_up)


@pytest.mark.parametrize("text", ["", ".", "abc", "a.b", "x" * 20, "x" * 20 + ".", "x" * 99 + "." + "y" * 43])
def test_a_malformed_refresh_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        split_refresh_token(text)

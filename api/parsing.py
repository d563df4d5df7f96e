"""From the text of a setting to its value. Each parser refuses what makes no sense; none of them guesses."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

# HS256 needs a key at least as long as its hash. https://www.rfc-editor.org/rfc/rfc7518#section-3.2
MIN_KEY_BYTES = 32

# Of a database user. Nobody types it: what `scripts/cluster secrets` makes has 32.
MIN_PASSWORD_CHARACTERS = 12

# Words of secrets that were copied from a document instead of being made.
SAMPLE_WORDS = (
    "changeme",
    "password",
    "change-me",
    "change_me",
    "your_",
    "your-",
    "secret-key",
    "jwt_secret",
    "example",
    "placeholder",
)


class BadValue(Exception):
    """A setting's text cannot be used. The message continues a sentence that begins with the setting's name."""


def text(least: int, most: int) -> Callable[[str], str]:
    """A string of `least` to `most` characters."""

    def parse(raw: str) -> str:
        if not least <= len(raw) <= most:
            raise BadValue(f"must have {least} to {most} characters")
        return raw

    return parse


def integer(least: int, most: int) -> Callable[[str], int]:
    """A whole number in decimal digits, `least` to `most`."""

    def parse(raw: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", raw) or not least <= int(raw) <= most:
            raise BadValue(f"must be a whole number from {least} to {most}, not {raw[:40]!r}")
        return int(raw)

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """One of a few words."""

    def parse(raw: str) -> str:
        if raw not in choices:
            raise BadValue(f"must be one of {', '.join(choices)}, not {raw[:40]!r}")
        return raw

    return parse


def flag(raw: str) -> bool:
    """`true` or `false`."""
    return one_of("true", "false")(raw) == "true"


def mongodb_uri(raw: str) -> str:
    """A connection string, or empty where the setting allows it. The message never repeats it: it holds a password."""
    if raw == "":
        return raw
    try:
        password = parse_uri(raw, warn=False)["password"]
    except OSError as error:
        # tlsCAFile, tlsCertificateKeyFile: paths are no secret.
        raise BadValue(f"names the file {error.filename}, which cannot be read ({error.strerror})") from None
    except (PyMongoError, ValueError):
        raise BadValue("is not a MongoDB connection string (mongodb://user:password@host:port,...)") from None
    # None where the router is asked without a login, which no router of a cluster grants.
    if password is not None and (len(password) < MIN_PASSWORD_CHARACTERS or _is_guessable(password, 6)):
        raise BadValue("holds a short, sample or guessable password: `scripts/cluster users rotate` makes another one")
    return raw


def jwt_keys(raw: str) -> tuple[tuple[str, str], ...]:
    """`kid:secret[,kid:secret]` as pairs, the signing key first."""
    pairs = []
    for part in raw.split(","):
        kid, colon, secret = part.strip().partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", kid):
            raise BadValue("must be kid:secret[,kid:secret], each kid 1 to 32 letters, digits, '-' or '_'")
        pairs.append((kid, _strong(kid, secret)))
    if len({kid for kid, _ in pairs}) < len(pairs):
        raise BadValue("names a kid twice")
    return tuple(pairs)


def _strong(kid: str, secret: str) -> str:
    """`secret`, unless it is short, made of few different characters or copied from a sample."""
    if len(secret.encode()) < MIN_KEY_BYTES:
        raise BadValue(
            f"has a secret under {MIN_KEY_BYTES} bytes for kid {kid}: make one with `openssl rand -base64 48`"
        )
    if _is_guessable(secret, 10):
        raise BadValue(f"has a sample or guessable secret for kid {kid}: make one with `openssl rand -base64 48`")
    return secret


def _is_guessable(secret: str, least_different: int) -> bool:
    """Whether it comes from a document, or has fewer different characters than `least_different`."""
    return any(word in secret.lower() for word in SAMPLE_WORDS) or len(set(secret)) < least_different


def origins(raw: str) -> frozenset[str]:
    """A list of origins, e.g. `https://app.example.org,http://localhost:3000`."""
    found = [part.strip() for part in raw.split(",") if part.strip()]
    for origin in found:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}" or not parts.netloc:
            raise BadValue(f"must list origins such as https://app.example.org, not {origin[:80]!r}")
    return frozenset(found)


def web_address(raw: str) -> str:
    """Where pages are, e.g. `https://app.example.org/board`, without a slash at its end; or empty."""
    parts = urlsplit(raw)
    is_plain = parts.scheme in ("http", "https") and parts.netloc and not parts.query and not parts.fragment
    if raw and not is_plain:
        raise BadValue(f"must be an address such as https://app.example.org, not {raw[:80]!r}")
    return raw.rstrip("/")


def servers(raw: str) -> tuple[tuple[str, int], ...]:
    """A list of `host:port`, e.g. `10.0.0.5:11211,10.0.0.6:11211`; or empty."""
    found = []
    for part in filter(None, (part.strip() for part in raw.split(","))):
        host, _, port = part.rpartition(":")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", host) or not re.fullmatch(r"[0-9]{1,5}", port):
            raise BadValue(f"must list servers such as 10.0.0.5:11211, not {part[:80]!r}")
        found.append((host, integer(1, 65535)(port)))
    return tuple(found)

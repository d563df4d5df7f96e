"""Settings: read once, refused with one sentence when they make no sense."""

from pathlib import Path

import pytest

from api import config
from api.config import ConfigError, load

GOOD = {"MONGODB_URI": "mongodb://127.0.0.1/", "JWT_KEYS": "a:f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70"}


def test_defaults_are_read() -> None:
    """Only the required settings have to be given."""
    settings = load(GOOD)

    assert settings.port == 5000
    assert settings.argon2_memory_kib == 19_456
    assert settings.mongodb_monitor_uri == ""


@pytest.mark.parametrize("name", ["MONGODB_URI", "JWT_KEYS"])
def test_a_required_setting_must_be_given(name: str) -> None:
    """A missing or empty secret is named, and how to give it."""
    for environ in ({**GOOD, name: ""}, {key: value for key, value in GOOD.items() if key != name}):
        with pytest.raises(ConfigError, match=f"{name} is not set: set {name} \\(or {name}_FILE\\)"):
            load(environ)


@pytest.mark.parametrize(
    "keys",
    [
        "a:short",
        # One byte too few, and nothing else is wrong with it.
        "a:f3a9c1e07b5d4826ae19d0c47f6b825",
        "a:" + "x" * 40,
        "a:changeme-changeme-changeme-0123456789",
        "no-colon-in-this-one-at-all-0123456789",
        ":f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70",
        "a:f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70,a:03a9c1e07b5d4826ae19d0c47f6b82539d1e6a70",
    ],
)
def test_a_weak_key_is_refused_and_not_repeated(keys: str) -> None:
    """Short, repetitive, copied or ambiguous keys stop the start; the message does not hold the secret."""
    with pytest.raises(ConfigError, match="^JWT_KEYS ") as refusal:
        load({**GOOD, "JWT_KEYS": keys})

    assert keys.partition(":")[2] not in str(refusal.value) or not keys.partition(":")[2]


@pytest.mark.parametrize(
    "password", ["", "s3cr3t", "shardboard1", "changeme-4711-XYZ", "aaaaaaaaaaaaaaaa", "password1234567"]
)
@pytest.mark.parametrize("name", ["MONGODB_URI", "MONGODB_MONITOR_URI"])
def test_a_weak_password_of_the_database_is_refused_and_not_repeated(name: str, password: str) -> None:
    """The copied URI of a tutorial must not start anything."""
    with pytest.raises(ConfigError, match=f"^{name} holds a short, sample or guessable password") as refusal:
        load({**GOOD, name: f"mongodb://shardboard_api:{password}@127.0.0.1:27017/"})

    assert not password or password not in str(refusal.value)


def test_a_file_of_certificates_that_is_missing_is_named(tmp_path: Path) -> None:
    """The URI is right; its secret part is not repeated."""
    uri = f"mongodb://shardboard_api:k3-Vq9_zRt5LwX@127.0.0.1/?tls=true&tlsCAFile={tmp_path}/ca.pem"

    with pytest.raises(ConfigError, match=r"^MONGODB_URI names the file .*/ca\.pem, which cannot be read") as refusal:
        load({**GOOD, "MONGODB_URI": uri})

    assert "zRt5" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "70000"),
        ("PORT", "80 "),
        ("PORT", "1e3"),
        ("ENVIRONMENT", "prod"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://a.example.org/"),
        ("MONGODB_URI", "postgres://a/b"),
        ("LOG_LEVEL", "loud"),
        ("API_DOCS", "yes"),
        ("THREADS", "-1"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: str) -> None:
    """Nothing is clamped or guessed."""
    with pytest.raises(ConfigError, match=f"^{name} "):
        load({**GOOD, name: value})


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    """As containers give them; a final line break is no part of it."""
    path = tmp_path / "keys"
    path.write_text(GOOD["JWT_KEYS"] + "\n")

    settings = load({"MONGODB_URI": GOOD["MONGODB_URI"], "JWT_KEYS_FILE": str(path)})

    assert settings.jwt_keys == (("a", "f3a9c1e07b5d4826ae19d0c47f6b82539d1e6a70"),)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    """Which one would count is nothing to guess."""
    with pytest.raises(ConfigError, match="both set"):
        load({**GOOD, "JWT_KEYS_FILE": str(tmp_path / "keys")})


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The path is told, so that it can be mended."""
    with pytest.raises(ConfigError, match="JWT_KEYS_FILE names .*/none"):
        load({"MONGODB_URI": GOOD["MONGODB_URI"], "JWT_KEYS_FILE": str(tmp_path / "none")})


def test_settings_do_not_show_their_secrets() -> None:
    """A traceback or a log line may print them."""
    assert "f3a9" not in repr(load(GOOD))


def test_the_table_lists_every_setting() -> None:
    """`python -m api settings`."""
    table = config.as_markdown()

    assert all(f"| `{setting.name}` |" in table for setting in config.SETTINGS)
    assert [setting.name.lower() for setting in config.SETTINGS] == list(config.Settings.__dataclass_fields__)

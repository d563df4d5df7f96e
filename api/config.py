"""Every setting of the API and its worker: one table, read once, refused when it makes no sense.

A secret has no default. It may also be given as `NAME_FILE`, the path of a file that holds it, so that it need not
stand in an environment. `python -m api settings` prints the table as Markdown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .parsing import BadValue, flag, integer, jwt_keys, mongodb_uri, one_of, origins, servers, text, web_address

REQUIRED = None


class ConfigError(Exception):
    """A setting is missing or makes no sense. The message is one sentence that names it; nothing was started."""


@dataclass(frozen=True)
class Setting:
    """One row of the table. `default` is text, as the environment would give it; `REQUIRED` means there is none."""

    name: str
    default: str | None
    unit: str
    help: str
    parse: Callable[[str], Any]
    secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("MONGODB_URI", REQUIRED, "URI", "The routers (mongos), two or more, as the API's user.", mongodb_uri, True),
    Setting("MONGODB_MONITOR_URI", "", "URI", "The routers as the monitoring user; empty: none.", mongodb_uri, True),
    Setting("MONGODB_DB", "shardboard", "name", "The database.", text(1, 63)),
    Setting(
        "JWT_KEYS",
        REQUIRED,
        "kid:secret,...",
        "Keys of access tokens, each secret 32 bytes or longer. The first signs, all verify; cursors are signed with "
        "keys derived from them.",
        jwt_keys,
        True,
    ),
    Setting(
        "ENVIRONMENT",
        "development",
        "development, production",
        "`production` refuses the stand-in router.",
        one_of("development", "production"),
    ),
    Setting("BIND", "127.0.0.1", "address", "Where the API listens.", text(1, 255)),
    Setting("PORT", "5000", "port", "The port it listens on.", integer(1, 65535)),
    Setting("METRICS_BIND", "127.0.0.1", "address", "Where `/metrics` is served; never public.", text(1, 255)),
    Setting("METRICS_PORT", "0", "port", "Its port, another for each service of a host; 0: none.", integer(0, 65535)),
    Setting("WORKERS", "2", "processes", "API processes.", integer(1, 64)),
    Setting("THREADS", "8", "threads", "Threads of each process.", integer(2, 256)),
    Setting(
        "CHANGES_CLIENTS",
        "64",
        "clients",
        "Clients of each process that may follow changes, each in a thread of its own beside `THREADS`; then 503.",
        integer(0, 1000),
    ),
    Setting(
        "CHANGES_HEARTBEAT_S",
        "15",
        "seconds",
        "How often a client that follows changes hears something.",
        integer(1, 300),
    ),
    Setting("GRACEFUL_STOP_S", "30", "seconds", "How long a stop waits for requests in flight.", integer(1, 600)),
    Setting("ACCESS_TOKEN_S", "900", "seconds", "Life of an access token.", integer(10, 86_400)),
    Setting("REFRESH_IDLE_S", "604800", "seconds", "Life of an unused refresh token.", integer(60, 31_536_000)),
    Setting("REFRESH_ABSOLUTE_S", "2592000", "seconds", "Life of a login, however used.", integer(60, 31_536_000)),
    Setting("ARGON2_MEMORY_KIB", "19456", "KiB", "Memory of one password hash.", integer(8, 4_194_304)),
    Setting("ARGON2_TIME", "2", "passes", "Passes of one password hash.", integer(1, 100)),
    Setting("ARGON2_PARALLELISM", "1", "lanes", "Lanes of one password hash.", integer(1, 64)),
    Setting("HASH_SLOTS", "2", "hashes", "Password hashes at once in a process.", integer(1, 64)),
    Setting("HASH_WAIT_MS", "2000", "ms", "How long a request waits for a slot; then 503.", integer(0, 60_000)),
    Setting("LOGIN_TRIES_ACCOUNT", "10", "tries", "Failed logins of one account in a window.", integer(1, 100_000)),
    Setting("LOGIN_TRIES_ADDRESS", "100", "tries", "Failed logins from one address in a window.", integer(1, 100_000)),
    Setting("LOGIN_WINDOW_S", "900", "seconds", "The window of failed logins.", integer(1, 86_400)),
    Setting("LOGIN_LOCK_S", "60", "seconds", "The first lock after them; each is twice the last.", integer(1, 86_400)),
    Setting("LOGIN_LOCK_MAX_S", "3600", "seconds", "The longest such lock.", integer(1, 86_400)),
    Setting(
        "AUTH_REQUESTS_ADDRESS",
        "300",
        "requests",
        "Sign-ups and tokens of letters from one address in a `LOGIN_WINDOW_S`; then 429 until it ends.",
        integer(1, 1_000_000),
    ),
    Setting(
        "AUTH_REFRESHES_ADDRESS",
        "6000",
        "requests",
        "Refreshes from one address in a `LOGIN_WINDOW_S`: each open dashboard has one in `ACCESS_TOKEN_S`.",
        integer(1, 1_000_000),
    ),
    Setting(
        "RESET_TOKEN_S", "1800", "seconds", "Life of the token in a letter for a new password.", integer(60, 86_400)
    ),
    Setting("VERIFY_TOKEN_S", "86400", "seconds", "Life of one that verifies an address.", integer(60, 2_592_000)),
    Setting(
        "LETTERS_DIR", "", "path", "Where the worker puts letters as files; empty: nobody gets them.", text(0, 4096)
    ),
    Setting(
        "DASHBOARD_URL",
        "",
        "URL",
        "The dashboard: letters link to its `/reset-password#token=` and `/verify-email#token=`; empty: no link.",
        web_address,
    ),
    Setting("DEADLINE_ITEM_MS", "1000", "ms", "Time a read of one item may take.", integer(50, 60_000)),
    Setting("DEADLINE_LIST_MS", "2000", "ms", "Time a list may take.", integer(50, 60_000)),
    Setting(
        "DEADLINE_PARTIAL_MS",
        "17000",
        "ms",
        "Time a list may take that may leave out shards: routers give up a shard without a member after 15 s.",
        integer(50, 120_000),
    ),
    Setting(
        "DEADLINE_WRITE_MS", "15000", "ms", "Time a write may take: longer than an election.", integer(50, 120_000)
    ),
    Setting("MAX_BODY_BYTES", "1048576", "bytes", "Longest request body.", integer(1024, 67_108_864)),
    Setting(
        "MEMCACHED_SERVERS",
        "",
        "host:port,...",
        "memcached for all API processes, so that a logout is in force everywhere at once; empty: each for itself.",
        servers,
    ),
    Setting("MAX_IMPORT_BYTES", "16777216", "bytes", "Longest CSV file of an import.", integer(1024, 67_108_864)),
    Setting("CORS_ORIGINS", "", "origin,...", "Origins of browsers that may call; empty: none.", origins),
    Setting("TRUSTED_PROXIES", "0", "proxies", "Proxies in front that set X-Forwarded-For.", integer(0, 10)),
    Setting("STATS_CACHE_S", "30", "seconds", "Age to which shared statistics may be cached.", integer(0, 3600)),
    Setting(
        "LOG_LEVEL",
        "info",
        "level",
        "`debug`, `info`, `warning`, `error`.",
        one_of("debug", "info", "warning", "error"),
    ),
    Setting("LOG_FILE", "", "path", "Also write the log to this file, rotated at 10 MiB; empty: none.", text(0, 4096)),
    Setting("WORKER_POLL_MS", "1000", "ms", "How often the worker looks for work.", integer(50, 60_000)),
    Setting("WORKER_LEASE_S", "60", "seconds", "How long one entry is the worker's own.", integer(5, 3600)),
    Setting("API_DOCS", "true", "true, false", "Serve `/openapi.json` and `/swagger`.", flag),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, repr=False)
class Settings:
    """What `load` read, one field a setting, e.g. `settings.max_body_bytes`. It has no repr: it holds secrets."""

    mongodb_uri: str
    mongodb_monitor_uri: str
    mongodb_db: str
    jwt_keys: tuple[tuple[str, str], ...]
    environment: str
    bind: str
    port: int
    metrics_bind: str
    metrics_port: int
    workers: int
    threads: int
    changes_clients: int
    changes_heartbeat_s: int
    graceful_stop_s: int
    access_token_s: int
    refresh_idle_s: int
    refresh_absolute_s: int
    argon2_memory_kib: int
    argon2_time: int
    argon2_parallelism: int
    hash_slots: int
    hash_wait_ms: int
    login_tries_account: int
    login_tries_address: int
    login_window_s: int
    login_lock_s: int
    login_lock_max_s: int
    auth_requests_address: int
    auth_refreshes_address: int
    reset_token_s: int
    verify_token_s: int
    letters_dir: str
    dashboard_url: str
    deadline_item_ms: int
    deadline_list_ms: int
    deadline_partial_ms: int
    deadline_write_ms: int
    max_body_bytes: int
    memcached_servers: tuple[tuple[str, int], ...]
    max_import_bytes: int
    cors_origins: frozenset[str]
    trusted_proxies: int
    stats_cache_s: int
    log_level: str
    log_file: str
    worker_poll_ms: int
    worker_lease_s: int
    api_docs: bool


def load(environ: Mapping[str, str]) -> Settings:
    """Read every setting from `environ`.

    Raises:
        ConfigError: one is missing, weak or out of range.
    """
    settings = Settings(**{setting.name.lower(): _value(setting, environ) for setting in SETTINGS})
    if settings.metrics_port == settings.port:
        raise ConfigError("METRICS_PORT is that of PORT: metrics need a listener of their own.")
    return settings


def _value(setting: Setting, environ: Mapping[str, str]) -> Any:
    raw = _raw(setting, environ)
    if raw is None or (raw == "" and setting.default is REQUIRED):
        also = f" (or {setting.name}_FILE)" if setting.secret else ""
        raise ConfigError(f"{setting.name} is not set: set {setting.name}{also}. {setting.help}")
    if raw == "" and setting.default == "":
        return setting.parse("")
    try:
        return setting.parse(raw)
    except BadValue as error:
        raise ConfigError(f"{setting.name} {error}.") from None


def _raw(setting: Setting, environ: Mapping[str, str]) -> str | None:
    """The text of a setting: from the environment, for a secret perhaps from its file, else the default."""
    path = environ.get(f"{setting.name}_FILE") if setting.secret else None
    if path and environ.get(setting.name):
        raise ConfigError(f"{setting.name} and {setting.name}_FILE are both set: keep one.")
    if not path:
        return environ.get(setting.name, setting.default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{setting.name}_FILE names {path}, which cannot be read.") from None


def as_markdown() -> str:
    """The table for a README, one line a setting."""
    rows = ["| setting | default | unit | what it is for |", "|---|---|---|---|"]
    for setting in SETTINGS:
        default = "required" if setting.default is REQUIRED else f"`{setting.default}`" if setting.default else "empty"
        also = " Secret; also as `" + setting.name + "_FILE`." if setting.secret else ""
        rows.append(f"| `{setting.name}` | {default} | {setting.unit} | {setting.help}{also} |")
    return "\n".join(rows)

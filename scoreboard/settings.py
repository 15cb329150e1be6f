"""Settings, read once from the environment: ``SCOREBOARD_<FIELD>``, or ``SCOREBOARD_<FIELD>_FILE``
for a value that is kept in a file (secrets)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from scoreboard.domain.boards import GateMode
from scoreboard.domain.durability import Durability
from scoreboard.domain.web_names import OWN, host_of, origin_of
from scoreboard.errors import ConfigurationError
from scoreboard.files import bounded_bytes

PREFIX = "SCOREBOARD_"
_RATE = r"^(none|([1-9]\d{0,2}|1000)/[1-9]\d{0,4})$"
_LONGEST = 100 * 365 * 86_400  # seconds that anything is kept
_DAY = 86_400  # seconds
_MOST_BYTES = 2**40
_MOST_CONNECTIONS = 10_000_000
OF_CLIENTS = frozenset({"URL", "TOKEN", "DATA_DIR"})  # read by local/running_service.py
DATA_DIR_VARIABLE = f"{PREFIX}DATA_DIR"


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """What an operator may set. The description of each field is in docs/settings.md."""

    redis_url: Annotated[
        str,
        Meta(
            description="Redis 7.0+ or Valkey 8+: `redis://host:port/database`, "
            "`unix:///socket?db=0`, `redis+sentinel://host:port,host:port/service` or "
            "`redis+cluster://host:port,host:port` ([forms](redis.md)); with TLS `rediss`"
        ),
    ] = "redis://127.0.0.1:6379/0"
    redis_tls_ca: Annotated[
        str,
        Meta(description="file (PEM) with whom to trust to certify Redis; empty: the system's"),
    ] = ""
    redis_tls_cert: Annotated[
        str, Meta(description="file (PEM) with the certificate that is shown to Redis")
    ] = ""
    redis_tls_key: Annotated[
        str, Meta(description="file (PEM) with the key of this certificate, unless it is in there")
    ] = ""
    redis_tls_check_hostname: Annotated[
        bool, Meta(description="Redis's certificate has to be for the host that is connected to")
    ] = True
    database_url: Annotated[str, Meta(description="PostgreSQL 14+")] = (
        "postgresql://scoreboard@127.0.0.1:5432/scoreboard"
    )
    migration_url: Annotated[
        str,
        Meta(
            description="the database for `migrate`, as its owner; empty: `SCOREBOARD_DATABASE_URL`"
        ),
    ] = ""
    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[
        int, Meta(description="port to listen on; 0 picks a free one", ge=0, le=65535)
    ] = 8080
    reuse_port: Annotated[bool, Meta(description="share the port with other serving processes")] = (
        False
    )
    default_board: Annotated[str, Meta(description="board of the calls that name none")] = "global"
    default_gate_mode: Annotated[GateMode, Meta(description="gate mode of a new default board")] = (
        "off"
    )
    partitions: Annotated[
        int,
        Meta(
            description="number of partitions ([how many](redis.md#how-many-partitions)); that of "
            "existing data is changed by `scoreboard repartition`. "
            "`persist` opens up to that many connections to Postgres, but at most 8, plus 21",
            ge=1,
            le=1024,
        ),
    ] = 8

    jwt_keys: Annotated[
        str,
        Meta(
            description="signing keys: lines `kid=secret` (or a PEM), one PEM alone, or JSON, "
            '`{"kid": "secret or PEM", ...}`; the first one signs'
        ),
    ] = ""
    jwt_jwks: Annotated[
        str,
        Meta(
            description="public keys that your login service publishes (JSON Web Key Set): an "
            "https URL, or a file"
        ),
    ] = ""
    jwt_jwks_refresh: Annotated[
        float, Meta(description="seconds between two reads of these", ge=10, le=86_400)
    ] = 300.0
    jwt_algorithm: Annotated[
        Literal["HS256", "RS256", "ES256", "EdDSA"], Meta(description="the one algorithm accepted")
    ] = "HS256"
    jwt_issuer: Annotated[str, Meta(description="required `iss`; empty accepts any")] = ""
    jwt_audience: Annotated[
        str, Meta(description="required `aud`; empty accepts only tokens that name none")
    ] = ""
    jwt_leeway: Annotated[
        float,
        Meta(
            description="seconds that `nbf` and `iat` may be ahead of the clock here; "
            "`exp` gets none",
            ge=0,
            le=300,
        ),
    ] = 30.0

    oidc_issuer: Annotated[
        str,
        Meta(
            description="OpenID provider at which administrators may sign in to the console: its "
            "issuer, an https URL ([how](tokens.md#signing-in-to-the-console)); empty: none"
        ),
    ] = ""
    oidc_client_id: Annotated[
        str, Meta(description="the console's client id at this provider, of a public client")
    ] = ""
    oidc_scope: Annotated[
        str, Meta(description="scopes that the console asks it for; `openid` is one of them")
    ] = "openid admin"
    oidc_parameters: Annotated[
        str,
        Meta(
            description="further parameters of these requests, as in a query, such as "
            "`audience=scoreboard` or `resource=https%3A%2F%2Fscores.example.org`"
        ),
    ] = ""
    oidc_origins: Annotated[
        str,
        Meta(
            description="comma-separated Origins of this provider's endpoints, where they are not "
            "at that of the issuer"
        ),
    ] = ""

    public_reads: Annotated[bool, Meta(description="reads and WebSockets need no token")] = True
    allowed_origins: Annotated[
        str,
        Meta(
            description="comma-separated Origins whose pages may open WebSockets and call the API "
            "(CORS); `self` is that of the service's own pages; empty: all may open WebSockets, "
            "and none but the own pages call the API"
        ),
    ] = ""
    allowed_hosts: Annotated[
        str,
        Meta(
            description="comma-separated names by which the service may be called, beside IP "
            "addresses; others get 421; empty allows all"
        ),
    ] = ""
    player_rate: Annotated[
        str,
        Meta(
            description="`N/SECONDS`: actions that a player's own token (`score:submit`) may post "
            "at once, and lastingly in that time, at each process: with several, divide; "
            "`none`: no limit",
            pattern=_RATE,
        ),
    ] = "600/60"
    board_quota: Annotated[
        str,
        Meta(
            description="`N/SECONDS`: boards that a game server's token may open by posting, "
            "likewise",
            pattern=_RATE,
        ),
    ] = "1000/3600"
    max_body_bytes: Annotated[
        int, Meta(description="largest request body", ge=1024, le=_MOST_BYTES)
    ] = 4 * 1024 * 1024
    body_budget: Annotated[
        int,
        Meta(
            description="bytes that all arriving request bodies have together",
            ge=1024,
            le=_MOST_BYTES,
        ),
    ] = 128 * 1024 * 1024
    body_timeout: Annotated[
        float, Meta(description="seconds a client may take to send a body", gt=0, le=_DAY)
    ] = 30.0
    max_connections: Annotated[
        int, Meta(description="WebSockets a process holds", ge=1, le=_MOST_CONNECTIONS)
    ] = 20_000
    max_connections_per_address: Annotated[
        int,
        Meta(
            description="WebSockets of one address, unless it is trusted",
            ge=1,
            le=_MOST_CONNECTIONS,
        ),
    ] = 2_000
    max_http_connections: Annotated[
        int, Meta(description="other connections a process holds", ge=1, le=_MOST_CONNECTIONS)
    ] = 10_000
    max_http_connections_per_address: Annotated[
        int,
        Meta(
            description="other connections of one address, unless it is trusted",
            ge=1,
            le=_MOST_CONNECTIONS,
        ),
    ] = 1_000
    trusted_proxies: Annotated[
        str,
        Meta(
            description="comma-separated addresses and networks of proxies, which have no cap of "
            "their own; default: what is not on the Internet"
        ),
    ] = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1,fc00::/7,fe80::/10"
    client_address_header: Annotated[
        str,
        Meta(
            description="header in which these proxies name the client, such as `X-Forwarded-For`; "
            "empty: none is read",
            pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]*$",
        ),
    ] = ""
    header_timeout: Annotated[
        float,
        Meta(description="seconds a client may take to send a request's head", gt=0, le=_DAY),
    ] = 10.0

    durability: Annotated[
        Durability, Meta(description="level promised when a request names none")
    ] = Durability.REDIS
    durability_timeout: Annotated[
        float, Meta(description="seconds to wait for the level asked for, then 202", gt=0, le=60)
    ] = 2.0
    dedupe_window: Annotated[
        float, Meta(description="seconds a receipt is kept in Redis", ge=60, le=_LONGEST)
    ] = 86_400.0
    ledger_retention: Annotated[
        float,
        Meta(
            description="seconds for which the ledger in parts keeps each action "
            "([ledger.md](ledger.md)), at least twice `SCOREBOARD_DEDUPE_WINDOW`; 0: for ever",
            ge=0,
            le=_LONGEST,
        ),
    ] = 0.0
    ledger_dedupe: Annotated[
        float,
        Meta(
            description="seconds after which an action may count again where there is a retention, "
            "which is the most",
            ge=60,
            le=_LONGEST,
        ),
    ] = 35 * 86_400.0
    ledger_archive: Annotated[
        str,
        Meta(
            description="directory in which `persist` leaves a Parquet file of each part of the "
            "ledger before it is folded; empty: none"
        ),
    ] = ""
    profile_memory: Annotated[
        int,
        Meta(
            description="users whose profiles a `serve` remembers, at most twice as many",
            ge=1,
            le=10_000_000,
        ),
    ] = 50_000
    board_idle: Annotated[
        float,
        Meta(
            description="seconds after its last write that a board leaves Redis; 0: never",
            ge=0,
            le=_LONGEST,
        ),
    ] = 30 * 86_400.0
    backlog_limit: Annotated[
        int,
        Meta(
            description="events a partition may hold unpersisted before writes get 503",
            ge=1000,
            le=10**12,
        ),
    ] = 1_000_000
    redis_timeout: Annotated[float, Meta(description="seconds to wait for Redis", gt=0, le=60)] = (
        2.0
    )
    database_timeout: Annotated[
        float,
        Meta(
            description="seconds to wait for a connection to Postgres, and for each statement",
            gt=0,
            le=300,
        ),
    ] = 5.0
    past_timeout: Annotated[
        float,
        Meta(description="seconds that an answer about the past may take in Postgres", gt=0, le=60),
    ] = 5.0

    update_interval: Annotated[
        float, Meta(description="least seconds between two updates of a board", ge=0, le=10)
    ] = 0.05
    standing_interval: Annotated[
        float, Meta(description="least seconds between two standings of a player", gt=0, le=_DAY)
    ] = 1.0
    max_watched_players: Annotated[
        int, Meta(description="players whose standings a process follows", ge=0, le=10_000_000)
    ] = 20_000
    heartbeat: Annotated[
        float, Meta(description="seconds between pings and heartbeats", gt=0, le=_DAY)
    ] = 25.0
    write_timeout: Annotated[
        float, Meta(description="seconds that a stalled client is kept", gt=0, le=120)
    ] = 10.0
    shutdown_grace: Annotated[
        float,
        Meta(description="seconds over which clients are told to go at shutdown", ge=0, le=20),
    ] = 3.0

    persist_batch: Annotated[
        int, Meta(description="events written in one transaction", ge=1, le=50_000)
    ] = 5_000

    webhook_networks: Annotated[
        str,
        Meta(
            description="comma-separated addresses and networks to which webhooks may be sent "
            "though they are not on the Internet, and by http as well; empty: https to the "
            "Internet only"
        ),
    ] = ""

    metrics_port: Annotated[
        int,
        Meta(
            description="port on which `persist` answers /metrics, /readyz and /healthz; 0: none",
            ge=0,
            le=65535,
        ),
    ] = 0
    serve_metrics_port: Annotated[
        int,
        Meta(
            description="port on which `serve` answers /metrics and /readyz, and then not on its "
            "own; 0: on its own",
            ge=0,
            le=65535,
        ),
    ] = 0

    retrain_interval: Annotated[
        float,
        Meta(
            description="seconds after which `persist`, with the extra `train` installed, trains a "
            "gated board again; 0: by hand",
            ge=0,
            le=_LONGEST,
        ),
    ] = 0.0

    log_format: Annotated[Literal["console", "json"], Meta(description="form of the log")] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level")
    ] = "info"

    @property
    def origins(self) -> frozenset[str]:
        """The Origins that may open WebSockets; empty allows all. Raises ValueError."""
        return frozenset(map(origin_of, _listed(self.allowed_origins)))

    @property
    def foreign_origins(self) -> frozenset[str]:
        """Those of other sites whose pages may call the API."""
        return self.origins - {OWN}

    @property
    def ledger_reach(self) -> float | None:
        """Seconds after which an action may count again where the ledger has parts; None: never.
        Receipts are kept for as long in any case."""
        if not self.ledger_retention:
            return None
        return max(self.dedupe_window, min(self.ledger_dedupe, self.ledger_retention))

    @property
    def hosts(self) -> frozenset[str]:
        """The allowed names in small letters; empty allows all. Raises ValueError."""
        return frozenset(map(host_of, _listed(self.allowed_hosts)))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from ``environ``. Raises ConfigurationError naming the variable at fault, so that
    a misspelt variable is not silently ignored."""
    known = {name.upper() for name in Settings.__struct_fields__}
    given: dict[str, str] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX)
        if name.endswith("_FILE") and name.removesuffix("_FILE") in known:
            name = name.removesuffix("_FILE")
            if environ.get(PREFIX + name):
                raise ConfigurationError(f"{PREFIX}{name} and {variable} are both set; unset one")
            value = _kept_in(value, variable)
        elif not value and f"{variable}_FILE" in environ:
            continue
        if name in OF_CLIENTS:
            continue
        if name not in known:
            meant = difflib.get_close_matches(
                variable, (PREFIX + setting for setting in known), n=1
            )
            hint = f"; is it {meant[0]}?" if meant else ""
            raise ConfigurationError(
                f"{variable} is not a setting{hint} (docs/settings.md has the list)"
            )
        if not is_text(value):
            raise ConfigurationError(f"{variable} is no UTF-8 text")
        given[name] = value
    try:
        settings = msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        raise ConfigurationError(f"{PREFIX}{path.rstrip('`')}: {reason}") from error
    if 0 < settings.ledger_retention < 2 * settings.dedupe_window:
        raise ConfigurationError(
            f"{PREFIX}LEDGER_RETENTION: at least twice {PREFIX}DEDUPE_WINDOW, or 0"
        )
    for name in ("origins", "hosts"):
        try:
            getattr(settings, name)
        except ValueError as error:
            raise ConfigurationError(f"{PREFIX}ALLOWED_{name.upper()}: {error}") from error
    return settings


def is_text(given: str) -> bool:
    """Whether what the environment or a command line gives is UTF-8; of other bytes Python makes
    characters that can't be encoded."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kept_in(path: str, variable: str) -> str:
    """The text in a file, which may be a pipe to whose end somebody writes."""
    try:
        return bounded_bytes(path).decode().replace("\r\n", "\n").strip()
    except UnicodeDecodeError:  # which would show a part of what may be a secret
        raise ConfigurationError(f"{variable}: {path} is no UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{variable}: can't read {path}: {error}") from error

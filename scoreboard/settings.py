"""Settings, read once from the environment: ``SCOREBOARD_<FIELD>``, or ``SCOREBOARD_<FIELD>_FILE``
for a value that is kept in a file (secrets)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from scoreboard.domain.boards import GateMode
from scoreboard.domain.durability import Durability
from scoreboard.errors import ConfigurationError

PREFIX = "SCOREBOARD_"
OF_CLIENTS = frozenset({"URL", "TOKEN"})  # read by local/running_service.py


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """What an operator may set. The description of each field is the README's table."""

    redis_url: Annotated[str, Meta(description="Redis 7.0+ or Valkey 8+")] = (
        "redis://127.0.0.1:6379/0"
    )
    database_url: Annotated[str, Meta(description="PostgreSQL 14+")] = (
        "postgresql://scoreboard@127.0.0.1:5432/scoreboard"
    )
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
            description="number of partitions; fixed once data exists. "
            "`persist` opens up to that many connections to Postgres, plus 2",
            ge=1,
            le=1024,
        ),
    ] = 8

    jwt_keys: Annotated[
        str,
        Meta(
            description='signing keys as JSON, `{"kid": "secret or PEM", ...}`; the first one signs'
        ),
    ] = ""
    jwt_algorithm: Annotated[
        Literal["HS256", "RS256", "ES256", "EdDSA"], Meta(description="the one algorithm accepted")
    ] = "HS256"
    jwt_issuer: Annotated[str, Meta(description="required `iss`; empty accepts any")] = ""
    jwt_audience: Annotated[
        str, Meta(description="required `aud`; empty accepts only tokens that name none")
    ] = ""

    public_reads: Annotated[bool, Meta(description="reads and WebSockets need no token")] = True
    allowed_origins: Annotated[
        str, Meta(description="comma-separated Origins that may open WebSockets; empty allows all")
    ] = ""
    max_body_bytes: Annotated[int, Meta(description="largest request body", ge=1024)] = (
        4 * 1024 * 1024
    )
    max_connections: Annotated[int, Meta(description="WebSockets a process holds", ge=1)] = 20_000
    body_timeout: Annotated[
        float, Meta(description="seconds a client may take to send a body", gt=0)
    ] = 30.0

    durability: Annotated[
        Durability, Meta(description="level promised when a request names none")
    ] = Durability.REDIS
    durability_timeout: Annotated[
        float, Meta(description="seconds to wait for the level asked for, then 202", gt=0, le=60)
    ] = 2.0
    dedupe_window: Annotated[
        float, Meta(description="seconds a receipt is kept in Redis", ge=60)
    ] = 86_400.0
    board_idle: Annotated[
        float,
        Meta(description="seconds after its last write that a board leaves Redis; 0: never", ge=0),
    ] = 30 * 86_400.0
    backlog_limit: Annotated[
        int,
        Meta(description="events a partition may hold unpersisted before writes get 503", ge=1000),
    ] = 1_000_000
    redis_timeout: Annotated[float, Meta(description="seconds to wait for Redis", gt=0, le=60)] = (
        2.0
    )
    database_timeout: Annotated[
        float, Meta(description="seconds to wait for Postgres in a request", gt=0, le=300)
    ] = 5.0

    update_interval: Annotated[
        float, Meta(description="least seconds between two updates of a board", ge=0, le=10)
    ] = 0.05
    heartbeat: Annotated[float, Meta(description="seconds between pings and heartbeats", gt=0)] = (
        25.0
    )
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

    metrics_port: Annotated[
        int,
        Meta(
            description="port on which `persist` answers /metrics and /healthz; 0: none",
            ge=0,
            le=65535,
        ),
    ] = 0

    retrain_interval: Annotated[
        float,
        Meta(description="seconds after which a gated board is trained again; 0: by hand", ge=0),
    ] = 0.0

    log_format: Annotated[Literal["console", "json"], Meta(description="form of the log")] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level")
    ] = "info"

    @property
    def origins(self) -> frozenset[str]:
        """The allowed Origins; empty allows all."""
        return frozenset(o.strip() for o in self.allowed_origins.split(",") if o.strip())


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
            try:
                value = Path(value).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ConfigurationError(f"{variable}: can't read {value}: {error}") from error
        if name in OF_CLIENTS:
            continue
        if name not in known:
            raise ConfigurationError(f"{variable} is not a setting; see the README's table")
        given[name] = value
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        raise ConfigurationError(f"{PREFIX}{path.rstrip('`')}: {reason}") from error

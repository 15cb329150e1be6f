"""Clients of Redis. Ordinary commands, scripts with their own recovery, and blocking reads each
have their own connections. redis-py's retries are off everywhere, because after a lost reply they
send a script again without knowing whether that is safe."""

from __future__ import annotations

from typing import Any

import structlog
from redis.asyncio import (
    BlockingConnectionPool,
    Connection,
    ConnectionPool,
    Redis,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from scoreboard.errors import ConfigurationError

log = structlog.get_logger(__name__)

MALFORMED = "is no Redis URL: redis://[[user]:password@]host:port/database"


class _Closed:
    """Mixed into a class of connections. When something is sent on a transport that was closed
    since its last use, uvloop raises an error of its own, and so does redis-py when another task is
    closing the connection. Both are reported as a lost connection."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        try:
            # The class of connections that it is mixed into has the method.
            await super().send_packed_command(command, check_health)  # type: ignore[misc]
        except (RuntimeError, AttributeError) as error:
            raise RedisConnectionError(str(error)) from error


class _Tcp(_Closed, Connection):
    pass


class _Tls(_Closed, SSLConnection):
    pass


class _Unix(_Closed, UnixDomainSocketConnection):
    pass


_CLASSES = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _Unix}


def pool(url: str, *, timeout: float | None, connections: int = 32) -> ConnectionPool:
    """A pool without retries. ``timeout`` in seconds; None for connections that block. While all
    ``connections`` are in use, the next command waits for one: to be busy is not to be away.
    Raises ConfigurationError, which does not show the URL and its password."""
    try:
        made = BlockingConnectionPool.from_url(
            url,
            protocol=2,
            max_connections=connections,
            timeout=timeout or 5.0,
            socket_timeout=timeout,
            socket_connect_timeout=timeout or 5.0,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise ConfigurationError(f"SCOREBOARD_REDIS_URL {MALFORMED}") from None
    made.connection_class = _CLASSES[made.connection_class]
    return made


def client(url: str, *, timeout: float | None, connections: int = 32) -> Redis:
    """A client for ordinary commands, or with ``timeout=None`` for blocking reads."""
    return Redis.from_pool(pool(url, timeout=timeout, connections=connections))


async def check_server(redis: Redis) -> None:
    """Checks a server before the service trusts it with scores. Raises ConfigurationError when it
    is too old or evicts keys. Warns when the append-only file is off, and about Redis 7.0, which
    may repair that file wrongly after a crash."""
    try:
        info: dict[str, Any] = await redis.info()
    except AuthenticationError as error:
        raise ConfigurationError(f"Redis refuses the credentials: {error}") from error
    version = str(info.get("redis_version", "0"))
    if int(version.split(".")[0]) < 7:
        raise ConfigurationError(f"Redis {version} is too old; 7.0 or Valkey 8 is needed")
    policy = info.get("maxmemory_policy")
    if policy != "noeviction":
        raise ConfigurationError(
            f"Redis evicts keys when full (maxmemory-policy {policy}), which would lose scores; "
            "set it to noeviction"
        )
    if not info.get("aof_enabled"):
        log.warning(
            "append_only_off",
            consequence="a crash of Redis loses what was not persisted to Postgres yet",
            remedy="CONFIG SET appendonly yes",
        )
    elif version.startswith("7.0."):
        log.warning(
            "append_only_fragile",
            version=version,
            consequence="a crash amid a write can lose or repeat writes one start later",
            remedy="rewrite the file after a crash (docs/durability.md), or run Valkey",
        )

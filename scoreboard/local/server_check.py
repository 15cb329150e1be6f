"""Checks whether the servers named by the settings can be reached, before anything else is started.
An error is one line, without any password."""

from __future__ import annotations

import asyncio

import asyncpg
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from scoreboard.errors import ConfigurationError
from scoreboard.pg.pool import connect
from scoreboard.redisio.connections import MALFORMED

TIMEOUT = 5.0


def check_redis(url: str) -> None:
    """Raises ConfigurationError when no Redis answers at ``url``."""
    variable = "SCOREBOARD_REDIS_URL"
    try:
        client = Redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
    except ValueError as error:
        raise ConfigurationError(f"{variable} {MALFORMED}") from error
    with client:
        try:
            client.ping()
        except (RedisError, OSError) as error:
            raise ConfigurationError(
                f"{variable}: no Redis answers there ({error}): correct it, or unset it to get an "
                "embedded Valkey"
            ) from error


def check_database(url: str) -> None:
    """Raises ConfigurationError when no Postgres takes a connection at ``url``."""
    asyncio.run(_check_database(url))


async def _check_database(url: str) -> None:
    variable = "SCOREBOARD_DATABASE_URL"
    try:
        connection = await connect(url, timeout=TIMEOUT)
        await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConfigurationError(
            f"{variable}: no Postgres takes connections there ({error or 'no answer in time'}): "
            "correct it, or unset it to get an embedded Postgres"
        ) from error

"""Checks whether the servers named by the settings can be reached, before anything else is started.
An error is one line, without any password."""

from __future__ import annotations

import asyncio

import asyncpg
from redis.exceptions import RedisError

from scoreboard.errors import ConfigurationError
from scoreboard.pg.connection import connect
from scoreboard.redisio.address import VARIABLE
from scoreboard.redisio.refusals import WrongForm
from scoreboard.redisio.topologies import topology_of
from scoreboard.settings import Settings

TIMEOUT = 5.0


def check_redis(settings: Settings) -> None:
    """Raises ConfigurationError when no Redis answers where the settings say, or not in its
    database."""
    asyncio.run(_check_redis(settings))


async def _check_redis(settings: Settings) -> None:
    topology = topology_of(settings)
    try:
        for node in await topology.masters():
            async with node.client(timeout=TIMEOUT, connections=1) as client:
                await client.ping()
    except WrongForm as error:
        raise ConfigurationError(error.detail) from error
    except (RedisError, OSError, TimeoutError) as error:
        raise ConfigurationError(
            f"{VARIABLE}: no Redis answers there ({error}): correct it, or unset it to get an "
            "embedded Valkey"
        ) from error
    finally:
        await topology.close()


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

"""A process's start: its settings, and checks of its servers before it relies on them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import asyncpg
import structlog
from redis.asyncio import Redis

from scoreboard import settings as configuration
from scoreboard.backoff import Backoff
from scoreboard.errors import ConfigurationError, Misconfigured, Unavailable, cause_of
from scoreboard.pg.address import parse
from scoreboard.pg.failures import translated
from scoreboard.pg.fitness import check_sessions, warn_of_shortcomings
from scoreboard.pg.migrations import check_schema
from scoreboard.redisio.commands import reachable
from scoreboard.redisio.fitness import check_servers as check_redis
from scoreboard.settings import Settings
from scoreboard.telemetry import logs
from scoreboard.workers.rebuilder import Rebuilder

log = structlog.get_logger(__name__)


def configure(environ: Mapping[str, str], *, leave_out: Collection[str] = ()) -> Settings:
    """Settings from the environment, and the log, on standard error, as they say, without the
    events in ``leave_out``. Raises ConfigurationError for a setting that is wrong."""
    settings = configuration.load(environ)
    logs.configure(settings.log_format, settings.log_level, leave_out=leave_out)
    return settings


async def check_servers(settings: Settings, redis: Redis, pool: asyncpg.Pool) -> None:
    """Returns once both servers are found fit; waits for one that is away. Raises
    ConfigurationError when one does not meet the service's needs."""

    async def check_and_warn_of_redis() -> None:
        with reachable():
            await check_redis(redis)

    async def check_postgres() -> None:
        await check_sessions(parse(settings.database_url), timeout=settings.database_timeout)
        with translated():
            async with pool.acquire() as connection:
                await check_schema(connection, partitions=settings.partitions)
                await warn_of_shortcomings(connection)

    await _persistently(check_and_warn_of_redis)
    await _persistently(check_postgres)  # on its own, so that Redis's warnings come once


async def open_board(rebuilder: Rebuilder, board: str) -> None:
    """Ensures that the board exists and is live; waits for servers that are away."""
    await _persistently(lambda: rebuilder.ensure(board, create=True))


async def _persistently(attempt: Callable[[], Awaitable[None]]) -> None:
    backoff, told = Backoff(), False
    while True:
        try:
            await attempt()
        except Misconfigured as error:
            raise ConfigurationError(f"{error.detail} {error.words}") from error
        except Unavailable as error:
            if not told:
                log.warning("waiting_for_servers", reason=error.detail, cause=cause_of(error))
                told = True
            await asyncio.sleep(backoff.next())
        else:
            return

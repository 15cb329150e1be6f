"""The service's connections to Redis and Postgres, apart by what must not wait for one another."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg
from redis.asyncio import Redis

from scoreboard.api.exports import MOST as EXPORTS
from scoreboard.pg.pool import open_pool
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.reads import AT_ONCE, Reads
from scoreboard.redisio.topologies import topology_of
from scoreboard.redisio.topology import Topology
from scoreboard.settings import Settings

DATABASE_CONNECTIONS = 8
ARCHIVE_CONNECTIONS = 4
PAST_CONNECTIONS = 2
WRITING_LINES, READING_LINES = 64, AT_ONCE  # connections to Redis for scripts


class Servers(NamedTuple):
    """``redis`` has a timeout, ``blocking`` has none. ``pool`` makes boards live, whatever else
    comes: boards that are not live are read through ``archive``. Through ``past`` go questions that
    go through much of the ledger: no other read waits for them, and Postgres works on no more at a
    time. Through ``exporting`` go exports. Scripts have lines of their own."""

    topology: Topology
    redis: Redis
    blocking: Redis
    writing: ScriptLines
    reading: Reads
    pool: asyncpg.Pool
    archive: asyncpg.Pool
    exporting: asyncpg.Pool
    past: asyncpg.Pool

    async def close(self) -> None:
        """Ends all but the lines, which whoever writes or reads through them ends before."""
        await self.redis.aclose()
        await self.blocking.aclose()
        await self.topology.close()
        for pool in (self.pool, self.archive, self.exporting, self.past):
            await pool.close()


async def connect(settings: Settings) -> Servers:
    """Connections that are made when they are needed. Raises ConfigurationError."""
    topology = topology_of(settings)

    def lines(most: int) -> ScriptLines:
        return ScriptLines(topology, timeout=settings.redis_timeout, most=most)

    async def pool(connections: int) -> asyncpg.Pool:
        return await open_pool(
            settings.database_url, connections=connections, timeout=settings.database_timeout
        )

    return Servers(
        topology,
        topology.client(timeout=settings.redis_timeout),
        topology.client(timeout=None),
        lines(WRITING_LINES),
        Reads(lines(READING_LINES)),
        await pool(DATABASE_CONNECTIONS),
        await pool(ARCHIVE_CONNECTIONS),
        await pool(2 * EXPORTS),  # each with a line in the audit, while its own holds the snapshot
        await pool(PAST_CONNECTIONS),
    )

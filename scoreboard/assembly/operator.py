"""Shared by the operator's commands that work on the ledger: options, settings and connections."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from redis.asyncio import Redis

from scoreboard.assembly.recovery import Recovery, recovery, verifier_of
from scoreboard.assembly.startup import configure
from scoreboard.local.running_service import with_servers
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.migrations import check_schema
from scoreboard.pg.pool import open_pool, translated
from scoreboard.redisio import connections
from scoreboard.redisio.board_audit import RedisAudit
from scoreboard.settings import Settings
from scoreboard.workers.verifier import Verifier

TIMEOUT = 60.0  # seconds for one statement or command; no client waits for these commands
LOCK_PATIENCE = 600.0  # seconds to wait for a partition's lock; a rebuild takes long
CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Operator:
    """Both servers, and the parts built on them."""

    redis: Redis
    pool: asyncpg.Pool
    durable: Recovery
    postgres: LedgerAudit
    audit: RedisAudit
    verifier: Verifier

    async def boards(self, board: str | None) -> list[str]:
        """The board that was named, or all boards."""
        return await self.postgres.boards() if board is None else [board]


def load_settings() -> Settings:
    """Settings from the environment; if it names no servers, those of a running ``up`` are used.
    Also sets up the log, on standard error."""
    return configure(with_servers(os.environ))


@asynccontextmanager
async def operator(settings: Settings) -> AsyncIterator[Operator]:
    """Opens everything and closes it at the end. Raises ConfigurationError when the schema or the
    number of partitions does not match the data, Unavailable when a server is away."""
    redis = connections.client(settings.redis_url, timeout=TIMEOUT)
    pool = await open_pool(settings.database_url, connections=CONNECTIONS, timeout=TIMEOUT)
    try:
        with translated():
            async with pool.acquire() as connection:
                await check_schema(connection, partitions=settings.partitions)
        durable = recovery(settings, redis, redis, pool, lock_patience=LOCK_PATIENCE)
        postgres = LedgerAudit(pool)
        audit = RedisAudit(redis, keyspace=durable.keyspace)
        verifier = verifier_of(durable, redis, postgres)
        yield Operator(redis, pool, durable, postgres, audit, verifier)
    finally:
        await redis.aclose()
        await pool.close()

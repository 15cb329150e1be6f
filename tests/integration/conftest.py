"""The durable side's parts on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.pg.ledger import Ledger
from scoreboard.pg.pool import open_pool
from scoreboard.redisio import commands
from scoreboard.settings import Settings
from tests.support.arena import Arena, opened_arena
from tests.support.moderated_arena import Moderated, moderated
from tests.support.waiting import PATIENCE


@pytest.fixture(autouse=True)
def patience_with_each_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of several servers of Redis may say nothing for longer than a second as well."""
    monkeypatch.setattr(commands, "SILENCE", PATIENCE)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database_url, connections=10, timeout=30)
    yield pool
    await pool.close()


@pytest.fixture
def ledger(pool: asyncpg.Pool) -> Ledger:
    return Ledger(pool)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to look at what was written."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def arena(settings: Settings, redis: Redis, pool: asyncpg.Pool) -> AsyncIterator[Arena]:
    """The board ``arena`` behind the whole write path."""
    async with opened_arena(settings, redis, pool) as running:
        yield running


@pytest.fixture
async def court(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, database: asyncpg.Connection
) -> AsyncIterator[Moderated]:
    """The board ``arena`` with a gate that is off, and its moderator."""
    async with moderated(settings, redis, pool, database) as running:
        yield running

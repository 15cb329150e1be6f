"""``scoreboard persist`` as a process: at work, stopped in good order, killed again and again."""

from __future__ import annotations

import asyncio
import random
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import asyncpg
import pytest
from aiohttp import ClientConnectionError, ClientSession
from redis.asyncio import Redis

from scoreboard import __version__
from scoreboard.settings import Settings
from scoreboard.wire.keys import PartitionKeys
from tests.support.command import named, started
from tests.support.extent import further
from tests.support.ledger_entries import BOARD, PARTITION, append, append_raw, fields, sums, totals
from tests.support.waiting import PATIENCE, wait_until
from tests.support.weeks_played import weeks_played

EVENTS = 30_000
USERS = 23
SEED = 5
KEY = PartitionKeys(PARTITION).events


@pytest.fixture
async def backlog(redis: Redis) -> dict[str, int]:
    """Fills the stream; the totals that it leads to."""
    expected: dict[str, int] = {}
    for begin in range(0, EVENTS, 5000):
        async with redis.pipeline(transaction=False) as pipe:
            for i in range(begin, begin + 5000):
                user = f"user{i % USERS}"
                expected[user] = expected.get(user, 0) + 1
                raw = fields(user, f"a{i}", 1, score=expected[user])
                await append_raw(pipe, f"{i + 1}-0", raw)
            await pipe.execute()
    return expected


def persisting(settings: Settings, **further: str) -> AbstractAsyncContextManager[Process]:
    """``scoreboard persist`` on the tests' servers, in small batches."""
    servers = named(settings.redis_url, settings.database_url)
    return started("persist", **servers, SCOREBOARD_PERSIST_BATCH="500", **further)


@asynccontextmanager
async def held_up_at(
    number: int, database: asyncpg.Connection
) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Whoever writes this action waits until the end of the block; whether somebody does."""
    transaction = database.transaction()
    await transaction.start()
    await database.execute(
        "INSERT INTO score_action (board, user_id, action_id, points, score, event_ms, event_seq,"
        " status, attempt_id) VALUES ($1, $2, $3, 1, 1, $4, 0, 'accepted', 'of another')",
        *(BOARD, f"user{number % USERS}", f"a{number}", number + 1),
    )
    ours = "NOT granted AND transactionid = pg_current_xact_id()::xid"

    async def waits() -> bool:
        return bool(await database.fetchval(f"SELECT count(*) FROM pg_locks WHERE {ours}"))

    try:
        yield waits
    finally:
        await transaction.rollback()


async def test_a_persister_that_is_told_to_stop_finishes_its_batch_and_leaves_nothing_pending(
    settings: Settings, redis: Redis, database: asyncpg.Connection, backlog: dict[str, int]
) -> None:
    async with persisting(settings) as process:
        async with held_up_at(EVENTS // 2, database) as waits:
            await wait_until(waits, description="it waits amid a batch")
            process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == 0, said.decode()
    left = await redis.xlen(KEY)
    assert 0 < left < EVENTS
    written = await database.fetchval("SELECT count(*) FROM score_action")
    assert written == EVENTS - left
    assert await totals(database) == await sums(database)


@further
async def test_a_persister_that_is_killed_again_and_again_loses_and_doubles_nothing(
    settings: Settings, redis: Redis, database: asyncpg.Connection, backlog: dict[str, int]
) -> None:
    draw = random.Random(SEED)
    kills = 0
    while left := await redis.xlen(KEY):
        goal = max(1, left - draw.randrange(500, 8000))
        async with persisting(settings) as process:
            await wait_until(
                partial(_shorter, redis, goal),
                description="it has persisted some",
                interval=draw.uniform(0.001, 0.004),
            )
            process.kill()
            kills += 1
    assert kills > 3
    assert await totals(database) == backlog == await sums(database)
    assert await database.fetchval("SELECT count(*) FROM score_action") == EVENTS


async def test_a_persister_shows_its_metrics_on_a_port_of_its_own(
    settings: Settings, redis: Redis, unused_tcp_port: int
) -> None:
    await append(redis, "1-0", "ann", "a1", 5)
    await append_raw(redis, "2-0", {b"o": b"A"})
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with (
        persisting(settings, SCOREBOARD_METRICS_PORT=str(unused_tcp_port)),
        ClientSession() as http,
    ):

        async def shown() -> dict[str, float]:
            try:
                async with http.get(f"{url}/metrics") as answer:
                    text = await answer.text()
            except ClientConnectionError:
                return {}
            samples = (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
            return {name: float(value) for name, value in samples}

        async def persisted_and_audited() -> bool:
            seen = await shown()
            label = f'{{partition="{PARTITION}"}}'
            return (
                seen.get(f"scoreboard_persisted_events_total{label}") == 2
                and seen[f"scoreboard_backlog_events{label}"] == 0
                and seen["scoreboard_dead_events_total"] == 1
                and seen["scoreboard_patrol_differences"] == 0
            )

        await wait_until(persisted_and_audited, description="it shows them")
        assert (await shown())[f'scoreboard_build_info{{version="{__version__}"}}'] == 1
        async with http.get(f"{url}/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        async with http.get(f"{url}/readyz") as answer:
            assert answer.status == 200
            parts = (await answer.json())["parts"]
        assert {name for name, part in parts.items() if part["up"]} == set(parts)
        assert set(parts) >= {"redis", "postgres", "start", "audit"}


async def test_a_persister_that_can_not_show_its_metrics_says_so(
    settings: Settings, unused_tcp_port: int
) -> None:
    other = await asyncio.start_server(lambda *_: None, "127.0.0.1", unused_tcp_port)
    async with (
        other,
        persisting(settings, SCOREBOARD_METRICS_PORT=str(unused_tcp_port)) as process,
    ):
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode != 0
    assert b"Choose another with SCOREBOARD_METRICS_PORT" in said


async def _shorter(redis: Redis, than: int) -> bool:
    return await redis.xlen(KEY) < than


async def test_it_judges_the_weeks_that_have_ended(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    async with weeks_played(settings, redis, pool) as weeks:
        last = await weeks.play_padded("ann")

        async def cases() -> list[str]:
            rows = await database.fetch("SELECT action_id FROM review WHERE week IS NOT NULL")
            return [row["action_id"] for row in rows]

        async with persisting(settings):
            assert await wait_until(cases, description="the case in the queue") == [last]

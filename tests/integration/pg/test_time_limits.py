"""Every wait has a limit: for a connection, and for a Postgres that no longer answers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from scoreboard.errors import Unavailable
from scoreboard.pg import board_source, connection, failures, pool
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.pool import open_pool
from tests.support.ledger_entries import BOARD, PARTITION, event
from tests.support.waiting import PATIENCE, wait_until

HASTE = 1.0  # seconds for a connection and a statement


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool in haste that has its connection."""
    opened = await open_pool(database_url, connections=1, timeout=HASTE)

    async def connected() -> bool:
        try:
            return bool(await opened.fetchval("SELECT true"))
        except TimeoutError:
            return False

    await wait_until(connected, description="Postgres takes a connection in time")
    yield opened
    await opened.close()


@contextmanager
def silent(process: int) -> Iterator[None]:
    """Postgres keeps the connection that this process of it serves, and says nothing."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


async def test_a_request_that_gets_no_connection_is_told_to_come_back(
    impatient: asyncpg.Pool,
) -> None:
    async with asyncio.timeout(PATIENCE), impatient.acquire():
        with pytest.raises(Unavailable) as one_statement:
            await Ledger(impatient).knows(BOARD)
        with pytest.raises(Unavailable) as several:
            await ArchivedBoards(impatient).top(BOARD)
    for refused in (one_statement.value, several.value):
        assert refused.retry_after
        assert refused.detail == failures.OCCUPIED.detail, "Postgres is not to blame"


async def test_a_silent_postgres_is_given_up_when_a_session_begins(
    impatient: asyncpg.Pool,
) -> None:
    process = await impatient.fetchval("SELECT pg_backend_pid()")
    with silent(process), pytest.raises(Unavailable):
        async with asyncio.timeout(PATIENCE), Ledger(impatient).locked_if_free(PARTITION):
            pass


async def test_who_gave_a_silent_postgres_up_does_not_wait_for_its_connection_either(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = 10 * PATIENCE
    monkeypatch.setattr(pool, "PATIENCE", ages)  # for the connection to become fit again
    monkeypatch.setattr(connection, "SILENCE", ages)  # nobody else finds out
    opened = await open_pool(database_url, connections=1, timeout=ages)
    try:
        with silent(await opened.fetchval("SELECT pg_backend_pid()")):
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(TimeoutError):
                    async with opened.acquire() as silent_one:
                        await silent_one.fetchval("SELECT true", timeout=HASTE)
        assert await opened.fetchval("SELECT true"), "the connection is there again"
    finally:
        await opened.close()


async def test_a_silent_postgres_is_given_up_when_a_batch_begins(
    impatient: asyncpg.Pool,
) -> None:
    async with asyncio.timeout(PATIENCE), Ledger(impatient).locked_if_free(PARTITION) as session:
        assert session is not None
        with silent(session.connection.get_server_pid()), pytest.raises(Unavailable):
            await session.write([event("10-0", "ann", "a1", 5)], [])


async def test_silence_between_two_chunks_of_a_board_is_noticed_soon(
    ledger: Ledger, impatient: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ledger.locked(PARTITION) as session:
        await session.write([event(f"1{i}-0", f"user{i}", "a1", 5) for i in range(3)], [])
    monkeypatch.setattr(board_source, "CHUNK", 1)
    monkeypatch.setattr(board_source, "SILENCE", HASTE)
    async with asyncio.timeout(PATIENCE), Ledger(impatient).locked(PARTITION) as session:
        totals = session.source.totals(BOARD)
        assert len(await anext(totals)) == 1
        with silent(session.connection.get_server_pid()), pytest.raises(Unavailable):
            await anext(totals)

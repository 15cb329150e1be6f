"""A proxy that keeps its connections and passes nothing on: to the kernel, the peer is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from scoreboard.errors import Unavailable
from scoreboard.pg import board_source, connection, ledger, plain_batches
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.pool import open_pool
from scoreboard.wire.events import Event
from tests.support.in_between import calling, listening, pass_on
from tests.support.ledger_entries import BOARD, PARTITION, event, totals
from tests.support.waiting import PATIENCE

LONG = 10 * PATIENCE  # a statement's own limit, which must not be what ends the waiting


class Swallowing:
    """A proxy before Postgres. ``swallow`` makes the connections that there are swallow all that
    comes; later ones pass it on."""

    def __init__(self, url: str) -> None:
        self._postgres = urlsplit(url)
        self._muted: list[asyncio.Event] = []

    def swallow(self) -> None:
        for muted in self._muted:
            muted.set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The URL that leads through here."""
        user, _, _ = self._postgres.netloc.rpartition("@")
        async with listening(self._serve) as port:
            yield self._postgres._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        muted = asyncio.Event()
        self._muted.append(muted)

        def passes() -> bool:
            return not muted.is_set()

        async with calling(self._postgres.hostname, self._postgres.port) as (postgres, to_postgres):
            await asyncio.gather(
                pass_on(client, to_postgres, passes), pass_on(postgres, to_client, passes)
            )


@contextmanager
def attentive(seconds: float = 0.2) -> Iterator[None]:
    """Silence is noticed after so many seconds: a busy Postgres may be silent for as long."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(connection, "SILENCE", seconds)
        yield


async def test_a_connection_on_which_nothing_passes_is_left_and_so_are_its_neighbours(
    database_url: str, database: asyncpg.Connection
) -> None:
    proxy = Swallowing(database_url)
    async with proxy.listening() as url:
        pool = await open_pool(url, connections=4, timeout=LONG)
        through = Ledger(pool)
        async with pool.acquire(), pool.acquire(), pool.acquire():
            pass
        proxy.swallow()
        async with asyncio.timeout(PATIENCE):
            with attentive(), pytest.raises(Unavailable):
                await through.knows(BOARD)
            async with through.locked_if_free(PARTITION) as session:
                assert session is not None
                await session.write([event("10-0", "ann", "a1", 5)], [])
        pool.terminate()
    assert await totals(database) == {"ann": 5}


async def test_a_batch_of_which_nothing_more_passes_is_left_long_before_its_limit(
    database_url: str, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, row = Swallowing(database_url), ledger._row
    monkeypatch.setattr(plain_batches, "fits", lambda _: False)  # their one statement is no COPY

    def cut_off(one: Event) -> tuple[Any, ...]:
        proxy.swallow()  # when Postgres has agreed to the COPY
        return row(one)

    async with proxy.listening() as url:
        pool = await open_pool(url, connections=4, timeout=LONG)
        async with asyncio.timeout(PATIENCE):
            async with Ledger(pool).locked(PARTITION) as session:
                with monkeypatch.context() as patched:
                    patched.setattr(ledger, "_row", cut_off)
                    with attentive(), pytest.raises(Unavailable):
                        await session.write([event("10-0", "ann", "a1", 5)], [])
            async with Ledger(pool).locked(PARTITION) as session:
                await session.write([event("10-0", "ann", "a1", 5)], [])
        pool.terminate()
    assert await totals(database) == {"ann": 5}


async def test_a_load_is_left_when_nothing_passes_between_two_chunks(
    database_url: str, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_source, "CHUNK", 1)
    proxy = Swallowing(database_url)
    async with proxy.listening() as url:
        pool = await open_pool(url, connections=4, timeout=LONG)
        async with asyncio.timeout(PATIENCE), Ledger(pool).locked(PARTITION) as session:
            await session.write([event("10-0", "ann", "a1", 5), event("11-0", "bob", "b1", 7)], [])
            chunks = session.source.totals(BOARD)
            assert len(await anext(chunks)) == 1
            proxy.swallow()
            with attentive(), pytest.raises(Unavailable):
                await anext(chunks)
        pool.terminate()


async def test_a_copy_that_takes_its_time_is_waited_for(
    database_url: str, database: asyncpg.Connection
) -> None:
    await database.execute(
        "CREATE TABLE slow (n int, CHECK (pg_sleep(n)::text = ''))"  # as on a busy database
    )
    pool = await open_pool(database_url, connections=1, timeout=PATIENCE)
    async with pool.acquire() as own:
        with attentive():
            await own.copy_records_to_table("slow", records=[(1,)])
    await pool.close()
    assert await database.fetchval("SELECT count(*) FROM slow") == 1
    await database.execute("DROP TABLE slow")


async def test_a_statement_that_takes_its_time_is_waited_for(
    database_url: str,
) -> None:
    pool = await open_pool(database_url, connections=1, timeout=PATIENCE)
    async with pool.acquire() as own:
        process = own.get_server_pid()
        with attentive(1.0):  # for Postgres to begin with it
            await own.execute("SELECT pg_sleep(2.5)")
        assert own.get_server_pid() == process
    await pool.close()

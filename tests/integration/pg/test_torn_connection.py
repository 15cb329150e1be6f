"""A Postgres that ends a connection between two statements of a batch."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from struct import pack
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from scoreboard.errors import Unavailable
from scoreboard.pg import plain_batches
from scoreboard.pg.board_source import players
from scoreboard.pg.connection import Session, connect
from scoreboard.pg.failures import translated
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.pool import open_pool
from tests.support.in_between import calling, listening, pass_on
from tests.support.ledger_entries import PARTITION, event, totals

IN_TRANSACTION = b"Z\x00\x00\x00\x05T"  # ReadyForQuery, as after BEGIN
_REASON = b"SFATAL\x00VFATAL\x00C57P01\x00Mterminating connection\x00\x00"
FAREWELL = b"E" + pack("!I", 4 + len(_REASON)) + _REASON  # ErrorResponse


class Between:
    """Stands between a client and Postgres. Once ``armed`` it says what a Postgres says that is
    shut down, right behind an answer to BEGIN; the connection ends when the next one is asked
    for. While ``mute``, nothing of the client's arrives."""

    def __init__(self, url: str) -> None:
        self._postgres = urlsplit(url)
        self._ending: asyncio.StreamWriter | None = None
        self.armed = self.mute = False

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The URL that leads through here."""
        user, _, _ = self._postgres.netloc.rpartition("@")
        async with listening(self._serve) as port:
            yield self._postgres._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self._ending:
            self._ending.close()
            self._ending = None
            return
        async with calling(self._postgres.hostname, self._postgres.port) as (postgres, to_postgres):
            await asyncio.gather(
                pass_on(client, to_postgres, while_=lambda: not self.mute),
                self._pass_back(postgres, to_client),
            )

    async def _pass_back(self, source: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                if self.armed and data.endswith(IN_TRANSACTION):
                    self.armed, self._ending = False, client
                    data += FAREWELL
                client.write(data)
        client.close()


async def test_a_connection_that_ends_right_before_a_batch_is_given_up_in_good_order(
    database_url: str, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    between = Between(database_url)
    monkeypatch.setattr(plain_batches, "fits", lambda _: False)  # their one statement is no COPY
    async with between.listening() as url:
        pool = await open_pool(url, connections=1, timeout=30)
        ledger = Ledger(pool)
        async with ledger.locked(PARTITION) as session:
            await session.write([event("10-0", "ann", "a1", 5)], [])
        between.armed = True
        with pytest.raises(Unavailable):
            async with ledger.locked(PARTITION) as session:
                await session.write([event("11-0", "bob", "b1", 7)], [])
        assert not between.armed
        gc.collect()  # asyncio complains of a future that nobody read when it is collected
        assert complaints == []
        async with ledger.locked(PARTITION) as session:
            await session.write([event("11-0", "bob", "b1", 7)], [])
        await pool.close()

    assert await totals(database) == {"ann": 5, "bob": 7}


async def test_rows_can_not_be_read_by_a_connection_that_has_ended_since_it_was_acquired(
    database_url: str,
) -> None:
    pool = await open_pool(database_url, connections=1, timeout=30)
    async with pool.acquire() as connection:
        connection.terminate()
        with pytest.raises(Unavailable):
            await anext(players(connection, "arena"))
    await pool.close()


async def test_a_connection_that_ends_between_two_messages_of_a_statement_is_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = Session._get_statement

    async def prepare_and_end(self: Session, *args: Any, **named: Any) -> Any:
        prepared = await prepare(self, *args, **named)
        self.terminate()
        return prepared

    monkeypatch.setattr(Session, "_get_statement", prepare_and_end)
    for read in ("fetch", "fetchval", "fetchrow"):
        connection = await connect(database_url, timeout=30)
        with pytest.raises(Unavailable), translated():
            await getattr(connection, read)("SELECT 1")


async def test_an_old_connection_that_nobody_answers_is_let_go_without_an_error(
    database_url: str,
) -> None:
    between = Between(database_url)
    async with between.listening() as url:
        connection = await connect(url, timeout=30)
        assert await connection.fetchval("SELECT 1") == 1
        between.mute = True
        await connection.close(timeout=0.05)
        assert connection.is_closed()

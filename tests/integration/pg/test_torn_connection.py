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
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.pool import open_pool
from tests.support.ledger_entries import PARTITION, event, totals

IN_TRANSACTION = b"Z\x00\x00\x00\x05T"  # ReadyForQuery, as after BEGIN
_REASON = b"SFATAL\x00VFATAL\x00C57P01\x00Mterminating connection\x00\x00"
FAREWELL = b"E" + pack("!I", 4 + len(_REASON)) + _REASON  # ErrorResponse


class Between:
    """Stands between a client and Postgres. Once ``armed`` it says what a Postgres says that is
    shut down, right behind an answer to BEGIN; the connection ends when the next one is asked
    for."""

    def __init__(self, url: str) -> None:
        self._postgres = urlsplit(url)
        self._ending: asyncio.StreamWriter | None = None
        self.armed = False

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The URL that leads through here."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        user, _, _ = self._postgres.netloc.rpartition("@")
        yield self._postgres._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
        server.close()
        await server.wait_closed()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self._ending:
            self._ending.close()
            self._ending = None
            to_client.close()
            return
        host, port = self._postgres.hostname, self._postgres.port
        postgres, to_postgres = await asyncio.open_connection(host, port)
        forth = asyncio.create_task(self._copy(client, to_postgres))
        with suppress(OSError):
            while data := await postgres.read(65_536):
                if self.armed and data.endswith(IN_TRANSACTION):
                    self.armed, self._ending = False, to_client
                    data += FAREWELL
                to_client.write(data)
        to_client.close()
        await forth

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
        target.close()


async def test_a_connection_that_ends_right_before_a_batch_is_given_up_in_good_order(
    database_url: str, database: asyncpg.Connection
) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    between = Between(database_url)
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

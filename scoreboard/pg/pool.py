"""A pool of connections to Postgres that throws away those that are of no more use."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Any

import asyncpg
import structlog
from asyncpg.pool import PoolAcquireContext

from scoreboard.pg import failures
from scoreboard.pg.address import parse
from scoreboard.pg.connection import Session, connect

log = structlog.get_logger(__name__)

PATIENCE = 2.0  # seconds that a connection may take to become fit for its next use


class _Lease(PoolAcquireContext):  # type: ignore[misc]  # asyncpg comes without types
    """A connection for as long as a block lasts; thrown away at its end when the block showed that
    it is of no more use. Who had to give up a silent one does not wait for it any longer."""

    async def __aenter__(self) -> Any:
        try:
            return await super().__aenter__()
        except TimeoutError as error:
            if self.pool.is_occupied():
                raise failures.Occupied from error
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        failed = {failures.kind_of(one) for one in (error, error and error.__cause__) if one}
        if failed & failures.STALE:
            with suppress(asyncpg.InterfaceError):  # it has been closed already
                self.connection.terminate()
            await self.pool.expire_connections()
        if failures.SILENT in failed:
            self.pool.release_later(self.connection)
            self.connection: Any = None
            self.done = True
        else:
            await super().__aexit__(kind, error, trace)


class _Pool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg comes without types
    """A pool that waits at most ``patience`` seconds when it hands out a connection, and only a
    moment when it takes one back; asyncpg's own pool would wait for ever."""

    __slots__ = ("_patience", "_releasing")

    def __init__(self, *, connections: int, patience: float, **options: Any) -> None:
        super().__init__(
            min_size=0,
            max_size=connections,
            max_queries=50_000,  # from here on asyncpg.create_pool's own defaults
            max_inactive_connection_lifetime=300.0,
            loop=None,
            connection_class=Session,
            record_class=asyncpg.Record,
            **options,
        )
        self._patience = patience
        self._releasing: set[asyncio.Task[None]] = set()

    def acquire(self, *, timeout: float | None = None) -> Any:
        return _Lease(self, self._patience if timeout is None else timeout)

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        """Never fails: what was done with the connection is done. One that does not become fit for
        its next use in a moment is thrown away. If it is silent, so may be all of them."""
        try:
            await super().release(connection, timeout=PATIENCE if timeout is None else timeout)
        except TimeoutError:
            await self.expire_connections()
        except (OSError, asyncpg.PostgresError, *failures.CLIENT) as error:
            log.debug("connection_lost", cause=repr(error))

    def is_occupied(self) -> bool:
        """Whether each connection that there may be is with somebody."""
        return bool(self.get_size() - self.get_idle_size() >= self.get_max_size())

    def release_later(self, connection: Any) -> None:
        """Takes a connection back without keeping the caller."""
        releasing = asyncio.create_task(self.release(connection))
        self._releasing.add(releasing)
        releasing.add_done_callback(self._releasing.discard)


async def open_pool(url: str, *, connections: int, timeout: float) -> asyncpg.Pool:
    """A pool of up to ``connections``, each made when it is first needed, so that the pool can be
    opened while Postgres is away. ``timeout``, in seconds, bounds waiting for a connection,
    connecting, and each statement, including BEGIN and COMMIT. Raises ConfigurationError for a URL
    that is wrong."""
    address = parse(url)

    pool: asyncpg.Pool

    async def connected(*_: Any, **options: Any) -> Session:
        connection = await connect(address, timeout=timeout, **options)
        connection.on_silence = pool.expire_connections  # its neighbours may be as dead
        return connection

    pool = _Pool(
        connections=connections, patience=timeout, connect=connected, command_timeout=timeout
    )
    return await pool

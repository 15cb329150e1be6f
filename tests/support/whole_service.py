"""The whole service as a game server or a player meets it: the real application on a port of its
own, in this process, on the tests' servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from scoreboard.api.tokens import keys_from, mint
from scoreboard.assembly.recovery import recovery
from scoreboard.assembly.service import application
from scoreboard.domain.boards import BoardSettings
from scoreboard.pg.pool import open_pool
from scoreboard.redisio import connections
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.persister import Persister
from tests.support.persisting import at_work


class Service:
    """The application, which can be stopped and started on the same port, and tokens for it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._runner: web.AppRunner | None = None
        self._port = settings.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._runner = web.AppRunner(await application(self.settings), shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    def token(
        self,
        scope: str = "score:write",
        *,
        subject: str = "game-server",
        boards: Iterable[str] | None = None,
        ttl: int = 600,
    ) -> str:
        return mint(
            keys_from(self.settings),
            self.settings.jwt_algorithm,
            subject=subject,
            scope=scope,
            ttl=ttl,
            boards=boards,
            issuer=self.settings.jwt_issuer,
            audience=self.settings.jwt_audience,
        )

    async def make_board(self, board: str, **rules: Any) -> None:
        """Makes a board with settings of its own before anybody has scored on it."""
        connection = await asyncpg.connect(self.settings.database_url)
        try:
            await connection.execute(
                "INSERT INTO board (board, partition, settings, version) VALUES ($1, $2, $3, 1)",
                board,
                Keyspace(self.settings.partitions).partition_of(board),
                BoardSettings(**rules).to_text(),
            )
        finally:
            await connection.close()

    @asynccontextmanager
    async def persisting(self) -> AsyncIterator[None]:
        """A persister runs for as long as the block does."""
        settings = self.settings
        async with AsyncExitStack() as opened:
            redis = connections.client(settings.redis_url, timeout=settings.redis_timeout)
            blocking = connections.client(settings.redis_url, timeout=None)
            pool = await open_pool(
                settings.database_url, connections=settings.partitions, timeout=30
            )
            for close in (pool.close, blocking.aclose, redis.aclose):
                opened.push_async_callback(close)
            durable = recovery(settings, redis, blocking, pool)
            persister = Persister(
                durable.streams, durable.ledger, durable.reverter, batch=settings.persist_batch
            )
            await opened.enter_async_context(at_work(persister))
            yield


@asynccontextmanager
async def service(settings: Settings, **changes: Any) -> AsyncIterator[Service]:
    """A running service with some settings changed."""
    running = Service(msgspec.structs.replace(settings, **changes))
    await running.start()
    try:
        yield running
    finally:
        await running.stop()

"""The whole service as a game server or a player meets it: the real application on a port of its
own, in this process, on the tests' servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from aiohttp import ClientSession, web

from scoreboard.api.tokens import keys_from, mint
from scoreboard.assembly.application import application
from scoreboard.assembly.listening import http_runner
from scoreboard.assembly.moderation import eraser, profile_follower
from scoreboard.assembly.recovery import recovery
from scoreboard.background import end
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.waiting_work import Job
from scoreboard.pg.pool import open_pool
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.lookout import Wake
from scoreboard.workers.persister import Persister
from tests.support.kept_port import kept_port
from tests.support.looks import looking_for
from tests.support.persisting import at_work
from tests.support.waiting import wait_until


class Service:
    """The application, which can be away for a while, and tokens for it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._runner: web.AppRunner | None = None
        self._port = settings.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        app = await application(self.settings)
        self._runner = http_runner(app, self.settings, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def takes_tokens(self) -> None:
        """Returns once the service knows which tokens are revoked, and whom all may see: it takes
        no token before, and shows nobody."""
        bearer = {"Authorization": f"Bearer {self.token()}"}
        async with ClientSession(headers=bearer) as http:

            async def known() -> bool:
                async with http.get(f"{self.url}/readyz") as answer:
                    if answer.status != 404:
                        parts = (await answer.json())["parts"]
                        return bool(parts["tokens"]["up"] and parts["players"]["up"])
                async with http.post(f"{self.url}/api/score") as answer:  # it is asked elsewhere
                    return answer.status != 503

            await wait_until(known, description="the service takes tokens")

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """It is stopped until the end of the block; its port stays its own."""
        await self.stop()
        with kept_port("127.0.0.1", self._port):
            yield
            await self.start()

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
        """A persister runs for as long as the block does, and boards follow profiles."""
        settings = self.settings
        async with AsyncExitStack() as opened:
            topology = topology_at(settings.redis_url)
            redis = topology.client(timeout=settings.redis_timeout)
            blocking = topology.client(timeout=None)
            pool = await open_pool(
                settings.database_url, connections=settings.partitions + 6, timeout=30
            )
            for close in (topology.close, pool.close, blocking.aclose, redis.aclose):
                opened.push_async_callback(close)
            durable = recovery(settings, topology, redis, blocking, pool)
            persister = Persister(
                durable.streams, durable.ledger, durable.reverter, batch=settings.persist_batch
            )
            await opened.enter_async_context(at_work(persister))
            follows = profile_follower(topology, settings, redis, pool, durable)
            follower = asyncio.create_task(follows.run())
            erases = eraser(settings, redis, pool, durable)
            erasures = asyncio.create_task(erases.run())
            opened.push_async_callback(durable.rebuilder.close)
            opened.push_async_callback(end, follower, erasures)
            wakes: dict[Job, Wake] = {"profiles": follows.wake, "erasures": erases.wake}
            await opened.enter_async_context(looking_for(settings.database_url, wakes))
            yield


@asynccontextmanager
async def service(
    settings: Settings, *, takes_tokens: bool = True, **changes: Any
) -> AsyncIterator[Service]:
    """A running service with some settings changed, which takes tokens unless it can find nowhere
    which are revoked."""
    running = Service(msgspec.structs.replace(settings, **changes))
    await running.start()
    try:
        if takes_tokens:
            await running.takes_tokens()
        yield running
    finally:
        await running.stop()

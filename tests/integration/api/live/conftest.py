"""The relay's tests run on both event loops: asyncio's and the one used in production."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
import uvloop
from redis.asyncio import Redis

from scoreboard.settings import Settings
from tests.integration.api.live.hub_server import Server, Start
from tests.support.waiting import PATIENCE

# Nobody, Redis neither, is pinged, given up or aborted for being slow, unless a test asks for it.
SETTINGS = Settings(update_interval=0.01, shutdown_grace=0, heartbeat=600, write_timeout=600)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def start(redis_url: str, redis: Redis) -> AsyncIterator[Start]:
    """Starts a server with some settings changed; ``silence`` and ``timeout`` are those of
    RedisUpdates."""
    servers: list[Server] = []

    async def start(
        *, silence: float = PATIENCE, timeout: float = PATIENCE, **changes: Any
    ) -> Server:
        settings = msgspec.structs.replace(SETTINGS, **changes)
        server = Server(redis_url, redis, settings, silence=silence, timeout=timeout)
        servers.append(await server.__aenter__())
        return servers[-1]

    yield start
    for server in servers:
        await server.__aexit__()

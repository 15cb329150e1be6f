"""A running service, and a client that checks every answer against the description."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession, ClientTimeout

from scoreboard.settings import Settings
from tests.integration.api.described_api import Api, described
from tests.support.waiting import PATIENCE
from tests.support.whole_service import service

StartApi = Callable[..., Awaitable[Api]]


@pytest.fixture
async def start_api(settings: Settings) -> AsyncIterator[StartApi]:
    """Starts a service: ``await start_api(public_reads=False)``. The client bears the token of a
    game server."""
    async with AsyncExitStack() as opened:

        async def start(
            base: Settings = settings, *, takes_tokens: bool = True, **changes: Any
        ) -> Api:
            opening = service(base, takes_tokens=takes_tokens, **changes)
            running = await opened.enter_async_context(opening)
            http = await opened.enter_async_context(
                ClientSession(timeout=ClientTimeout(total=2 * PATIENCE))
            )
            api = await described(running, http)
            opened.push_async_callback(api.hang_up)
            return api

        yield start


@pytest.fixture
async def old_api(start_api: StartApi, settings: Settings) -> Api:
    """A service of an installation that was there before boards had a rule for user ids."""
    database = await asyncpg.connect(settings.database_url)
    await database.execute("INSERT INTO setup (partitions, ids) VALUES (8, 'any')")
    await database.close()
    return await start_api()


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    """A service with the settings that a new one has."""
    return await start_api()

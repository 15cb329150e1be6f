"""A running service, and a client that checks every answer against the description."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout

from scoreboard.settings import Settings
from tests.integration.api.described_api import Api, Description
from tests.support.waiting import PATIENCE
from tests.support.whole_service import service

StartApi = Callable[..., Awaitable[Api]]


@pytest.fixture
async def start_api(settings: Settings) -> AsyncIterator[StartApi]:
    """Starts a service: ``await start_api(public_reads=False)``. The client bears the token of a
    game server."""
    async with AsyncExitStack() as opened:

        async def start(base: Settings = settings, **changes: Any) -> Api:
            running = await opened.enter_async_context(service(base, **changes))
            http = await opened.enter_async_context(
                ClientSession(timeout=ClientTimeout(total=2 * PATIENCE))
            )
            async with http.get(f"{running.url}/openapi.json") as response:
                description = Description(await response.json())
            return Api(running, http, description, running.token())

        yield start


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    """A service with the settings that a new one has."""
    return await start_api()

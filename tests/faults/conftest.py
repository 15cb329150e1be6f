"""The service in processes of its own, as it runs in production."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from scripts.chaos.service import running
from scripts.chaos.stack import Stack
from tests.support.waiting import PATIENCE

StartStack = Callable[..., Awaitable[Stack]]


@pytest.fixture
async def start_stack(tmp_path: Path) -> AsyncIterator[StartStack]:
    """Starts Valkey, Postgres, servers and persisters: ``await start_stack(servers=1)``. Redis may
    take its time, unless a test says otherwise in ``settings``."""
    async with AsyncExitStack() as opened:

        async def start(*, settings: Mapping[str, str] | None = None, **options: Any) -> Stack:
            chosen = {"REDIS_TIMEOUT": str(PATIENCE), **(settings or {})}
            stack = Stack(tmp_path, settings=chosen, **options)
            return await opened.enter_async_context(running(stack))

        yield start


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session

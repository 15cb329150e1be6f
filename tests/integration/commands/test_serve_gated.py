"""One user's burst over four serving processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import msgspec
from aiohttp import ClientSession

from scoreboard.settings import Settings
from tests.integration.api.gated_service import USUAL, action, add_model
from tests.support.honest_season import honest_model
from tests.support.whole_service import Service

LATER = USUAL[-1] + 600


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """``scoreboard serve`` in a process of its own; its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scoreboard", "serve", "--port", "0"),
        env={
            **os.environ,
            "SCOREBOARD_REDIS_URL": settings.redis_url,
            "SCOREBOARD_DATABASE_URL": settings.database_url,
            "SCOREBOARD_JWT_KEYS": settings.jwt_keys,
            "SCOREBOARD_SHUTDOWN_GRACE": "0",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if b'"serving"' in line:
                host, port = msgspec.json.decode(line)["addresses"][0]
                yield f"http://{host}:{port}"
                return
        raise AssertionError("the process ended before it served")
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()


async def test_four_processes_accept_no_more_of_a_burst_than_one(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    honest_model()  # made before anything waits for it
    await add_model(pool)
    service = Service(settings)
    headers = {"Authorization": f"Bearer {service.token()}"}
    for board in ("one", "four"):
        await service.make_board(board, mode="reject", allow_history=True)
    async with AsyncExitStack() as opened:
        urls = await asyncio.gather(
            *(opened.enter_async_context(serving(settings)) for _ in range(4))
        )
        http = await opened.enter_async_context(ClientSession(headers=headers))

        async def post(url: str, board: str, name: str, after: float) -> int:
            body = action("ann", name, after)
            async with http.post(f"{url}/api/boards/{board}/score", json=body) as response:
                assert response.status in (200, 403), await response.text()
                return response.status

        for board in ("one", "four"):
            for after in USUAL:
                assert await post(urls[0], board, f"usual-{after}", after) == 200
        in_order = [await post(urls[0], "one", f"burst-{i}", LATER) for i in range(50)]
        spread = await asyncio.gather(
            *(post(urls[i % 4], "four", f"burst-{i}", LATER) for i in range(50))
        )
    assert spread.count(200) == in_order.count(200)
    assert 0 < in_order.count(200) < 5

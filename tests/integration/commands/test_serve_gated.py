"""Boards with a gate, as processes of their own serve them."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec
from aiohttp import ClientSession

from scoreboard.assembly.model_gates import ONLY_ONCE
from scoreboard.settings import Settings
from tests.integration.api.gated_service import USUAL, action, add_model
from tests.support.command import named, started
from tests.support.extent import further
from tests.support.honest_season import honest_model
from tests.support.waiting import PATIENCE
from tests.support.whole_service import Service

LATER = USUAL[-1] + 600


class Serving(NamedTuple):
    process: Process
    url: str


@asynccontextmanager
async def serving(settings: Settings, **variables: str) -> AsyncIterator[Serving]:
    """``scoreboard serve`` in a process of its own."""
    servers = named(settings.redis_url, settings.database_url)
    async with started("serve", **servers, SCOREBOARD_SHUTDOWN_GRACE="0", **variables) as process:
        assert process.stdout is not None
        async for line in process.stdout:
            if b'"serving"' in line:
                host, port = msgspec.json.decode(line)["addresses"][0]
                yield Serving(process, f"http://{host}:{port}")
                return
        raise AssertionError("the process ended before it served")


@further
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
        processes = await asyncio.gather(
            *(opened.enter_async_context(serving(settings)) for _ in range(4))
        )
        urls = [one.url for one in processes]
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


async def test_a_process_that_can_not_have_its_gate_any_more_ends_so_that_another_takes_its_place(
    settings: Settings, tmp_path: Path
) -> None:
    """As after an import of numpy that broke off for want of memory."""
    (tmp_path / "numpy.py").write_text(f"raise ImportError({ONLY_ONCE!r})", encoding="utf-8")
    service = Service(settings)
    await service.make_board("arena", mode="flag")
    headers = {"Authorization": f"Bearer {service.token()}"}
    async with (
        serving(settings, PYTHONPATH=str(tmp_path)) as (process, url),
        ClientSession(headers=headers) as http,
    ):
        body = action("ann", "k1", 0)
        async with http.post(f"{url}/api/boards/arena/score", json=body) as response:
            assert response.status == 503
            assert response.headers["Retry-After"]
        async with asyncio.timeout(PATIENCE):
            assert process.stdout is not None
            said = await process.stdout.read()
            assert await process.wait() == 0
    assert b'"gate_lost"' in said
    assert b"Traceback" not in said

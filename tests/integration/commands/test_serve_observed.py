"""Several `serve` on one port, watched on another."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
from aiohttp import ClientConnectionError, ClientSession

from scoreboard.settings import Settings
from tests.support.command import named, started
from tests.support.waiting import wait_until


def listens(process: Process, port: int) -> bool:
    """Whether the process takes connections at the port."""
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        for connection in psutil.Process(process.pid).net_connections()
    )


async def test_a_scrape_shows_all_that_share_a_port_and_forgets_who_dies(
    settings: Settings, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    port, metrics_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    public, private = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}"
    environment = named(settings.redis_url, settings.database_url) | {
        "SCOREBOARD_PORT": str(port),
        "SCOREBOARD_REUSE_PORT": "true",
        "SCOREBOARD_SERVE_METRICS_PORT": str(metrics_port),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "figures"),
    }
    answered = 'scoreboard_http_requests_total{method="GET",route="/healthz",status="200"}'
    held = "scoreboard_websocket_connections"

    async def status(url: str) -> int:
        # Each call makes a connection of its own, which the kernel gives to one of the processes.
        try:
            async with ClientSession() as http, http.get(url) as answer:
                return answer.status
        except ClientConnectionError:
            return 0

    async def shown() -> dict[str, float]:
        async with ClientSession() as http, http.get(f"{private}/metrics") as answer:
            lines = (line.rsplit(" ", 1) for line in (await answer.text()).splitlines())
            return {name: float(value) for name, value in lines if name[0] != "#"}

    async def ready() -> bool:
        return await status(f"{private}/readyz") == 200

    async with AsyncExitStack() as stack:
        processes: list[Process] = [
            await stack.enter_async_context(started("serve", **environment)) for _ in range(2)
        ]
        http = await stack.enter_async_context(ClientSession())
        await wait_until(ready, description="one is ready")
        await wait_until(
            lambda: all(listens(process, port) for process in processes), description="both serve"
        )
        assert await status(f"{public}/metrics") == 404
        assert await status(f"{public}/readyz") == 404

        before = (await shown()).get(answered, 0)
        statuses = [await status(f"{public}/healthz") for _ in range(40)]
        assert set(statuses) == {200}

        async def all_counted() -> bool:
            return (await shown()).get(answered) == before + 40

        await wait_until(all_counted, description="each has told the others")
        for _ in range(5):
            assert await all_counted(), "whichever of them answers"

        sockets = [
            await stack.enter_async_context(http.ws_connect(f"{public}/ws/leaderboard"))
            for _ in range(20)
        ]
        for socket in sockets:
            assert (await socket.receive_json())["type"] == "snapshot"
        assert (await shown())[held] == 20
        ends = [asyncio.create_task(socket.receive()) for socket in sockets]
        processes[0].kill()
        await processes[0].wait()

        async def only_the_others() -> bool:
            return sum(end.done() for end in ends) == 20 - (await shown())[held] > 0

        await wait_until(only_the_others, description="the dead one's sockets are not shown")
        assert (await shown())[answered] == before + 40, "or it would look like a reset"
        for end in ends:
            end.cancel()

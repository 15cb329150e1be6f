"""A served relay, and the gauges that scripts/bench/fanout.py reads."""

from __future__ import annotations

import asyncio
import fcntl
import math
import resource
import socket
import struct
import termios
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from scoreboard.api.live.connections import Connection
from scoreboard.api.live.hub import Hub
from scoreboard.api.live.ports import OccurrenceTop
from scoreboard.api.live.websockets import LiveLeaderboard
from scoreboard.api.problems import guarded
from scoreboard.api.route_metrics import RouteMetrics
from scoreboard.settings import Settings

BOARD = "global"
SO_MEMINFO, WMEM_QUEUED = 55, 5  # linux/sock_diag.h: bytes that the kernel holds for sending


class Board:
    """Source of updates and reader of the one board."""

    def __init__(self, entry: str) -> None:
        self.version = 1
        self._top = f"[{','.join([entry] * 10)}]".encode()
        self._told: Callable[[str, bytes], None]

    async def top(self, _: str, *, watched: bool) -> tuple[int, bytes]:
        return self.version, self._top

    async def latest_top(
        self, board: str, period: str, *, shown: int, watched: bool
    ) -> OccurrenceTop:
        raise AssertionError("no board here has periods")

    async def occurrence_top(
        self, board: str, period: str, number: int, *, watched: bool
    ) -> OccurrenceTop:
        raise AssertionError("no board here has periods")

    async def subscribe(self, board: str) -> None: ...

    def unsubscribe(self, board: str) -> None: ...

    async def run(self, on_update: Callable[[str, bytes], None], _: Callable[[str], None]) -> None:
        self._told = on_update
        await asyncio.Event().wait()

    def change(self) -> None:
        """A new version; its ``at`` is the time in ns, by which clients know how old it is."""
        self.version += 1
        text = b'{"type":"update","board":"%b","version":%d,"topScores":%b,"at":"%019d"}'
        self._told(BOARD, text % (BOARD.encode(), self.version, self._top, time.monotonic_ns()))


@asynccontextmanager
async def relay(board: Board, settings: Settings) -> AsyncIterator[tuple[Hub, int]]:
    """A served hub and its port, as the role ``serve`` puts it together."""
    hub = Hub(board, board, settings)
    none: Any = None  # no periods, and reads are public
    live = LiveLeaderboard(hub, none, none, none, none, settings)
    app = web.Application()
    app.router.add_get(
        "/ws/leaderboard", guarded(live.leaderboard, RouteMetrics("GET", "/ws/leaderboard"))
    )
    running = asyncio.create_task(hub.run())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    yield hub, runner.addresses[0][1]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await runner.cleanup()


class Blocks:
    """Watches how long the event loop leaves a task waiting that wants to run every 2 ms: in
    seconds by the clock, which includes what other processes took of the cores, and in seconds of
    the loop's own CPU, which does not."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.busiest = 0.0

    async def watch(self) -> None:
        while True:
            start, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.002)
            self.longest = max(self.longest, time.perf_counter() - start - 0.002)
            self.busiest = max(self.busiest, time.thread_time() - cpu)


def resident() -> int:
    """Bytes of memory that this process occupies."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def percentile(values: list[int], share: float) -> float:
    """In ms, of values in ns; nan without any."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] / 1e6 if ranked else math.nan


def queued(connection: Connection) -> int:
    """Bytes that the kernel holds for a client, with its own overhead."""
    with socket.socket(fileno=connection.transport.get_extra_info("socket").dup().detach()) as sock:
        info = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
    return int(struct.unpack("9I", info)[WMEM_QUEUED])


def unsent(connection: Connection) -> int:
    """Bytes of frames in the kernel that the client has not acknowledged."""
    number = connection.transport.get_extra_info("socket").fileno()
    return int(struct.unpack("i", fcntl.ioctl(number, termios.TIOCOUTQ, b"\0" * 4))[0])

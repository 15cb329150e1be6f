"""The watch over connections that do not keep up, or do not go."""

from __future__ import annotations

import asyncio

import structlog

from scoreboard.api.live.connections import SLICE, Connection
from scoreboard.telemetry import metrics

log = structlog.get_logger(__name__)

POLL = 0.025  # seconds between two looks at the slow clients


class SlowClients:
    """The connections whose buffer was in use when there was something to write. They are looked
    at every 25 ms, get the newest version as soon as they can take it, and are aborted after
    ``write_timeout`` seconds. So are those that were sent a close frame and stay."""

    def __init__(self, write_timeout: float) -> None:
        self._write_timeout = write_timeout
        self._deadlines: dict[Connection, float] = {}
        self._some = asyncio.Event()

    def add(self, connection: Connection) -> None:
        if connection not in self._deadlines:
            now = asyncio.get_running_loop().time()
            self._deadlines[connection] = now + self._write_timeout
            metrics.lagging.set(len(self._deadlines))
            self._some.set()

    def discard(self, connection: Connection) -> None:
        if self._deadlines.pop(connection, None) is not None:
            metrics.lagging.set(len(self._deadlines))

    async def run(self) -> None:
        """Serves the slow clients until cancelled; sleeps while there are none."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._deadlines:
                await asyncio.sleep(POLL)
                await self._serve(list(self._deadlines))

    async def _serve(self, connections: list[Connection]) -> None:
        loop = asyncio.get_running_loop()
        for start in range(0, len(connections), SLICE):
            now = loop.time()
            for connection in connections[start : start + SLICE]:
                deadline = self._deadlines.get(connection)
                if deadline is None:
                    continue  # gone since the list was made
                if connection.drained and not connection.closing:
                    self.discard(connection)
                    connection.catch_up()
                elif now >= deadline:
                    self._drop(connection)
            await asyncio.sleep(0)

    def _drop(self, connection: Connection) -> None:
        self.discard(connection)
        if not connection.closing:
            metrics.aborted.labels("stalled").inc()
            log.warning(
                "client_stalled",
                remote=connection.remote,
                board=connection.feed.board,
                seconds=self._write_timeout,
            )
        connection.abort()

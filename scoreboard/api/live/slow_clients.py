"""Watches connections that do not keep up, or that do not leave when told to."""

from __future__ import annotations

import asyncio

import structlog

from scoreboard.api.live.connections import SLICE, Connection
from scoreboard.telemetry import metrics

log = structlog.get_logger(__name__)

POLL = 0.025  # seconds between two looks at the slow clients


class SlowClients:
    """The connections whose buffer was in use when there was something to write. Each is checked
    every 25 ms, gets the newest version once its buffer is empty, and is aborted if that takes
    ``write_timeout`` seconds. Connections that stay after a close frame are aborted likewise."""

    def __init__(self, write_timeout: float) -> None:
        self._write_timeout = write_timeout
        self._deadlines: dict[Connection, float] = {}
        self._some = asyncio.Event()

    def add(self, connection: Connection) -> None:
        """Starts to watch the connection, if it is not watched yet."""
        if connection not in self._deadlines:
            now = asyncio.get_running_loop().time()
            self._deadlines[connection] = now + self._write_timeout
            metrics.lagging.set(len(self._deadlines))
            self._some.set()

    def discard(self, connection: Connection) -> None:
        """Stops watching the connection, if it is watched."""
        if self._deadlines.pop(connection, None) is not None:
            metrics.lagging.set(len(self._deadlines))

    async def run(self) -> None:
        """Serves the slow clients until cancelled; sleeps while there are none."""
        while True:
            if not self._deadlines:  # some may be left from a run that was cut off
                self._some.clear()
                await self._some.wait()
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
                    continue  # it left after the list was made
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

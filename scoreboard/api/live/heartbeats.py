"""Pings and heartbeats by one timer wheel for all connections. Each connection is in one slot, and
the wheel visits the slots one after the other. So the pings of ten thousand clients are spread
evenly over the period, and no client needs its own timer."""

from __future__ import annotations

import asyncio
import time

import structlog

from scoreboard.api.live.connections import Connection
from scoreboard.api.live.frames import PING_FRAME
from scoreboard.telemetry import metrics

log = structlog.get_logger(__name__)

SLOTS = 250

TOKEN_EXPIRED = 4401


class Heartbeats:
    """Visits every connection once in ``period`` seconds: aborts it when it did not answer the
    previous ping, else pings it. If its board was idle for half a period, a heartbeat is sent with
    the ping. A connection whose token expires before the next visit gets a timer for that
    moment."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._slots: list[set[Connection]] = [set() for _ in range(SLOTS)]
        self._next = 0
        self._count = 0  # connections on the wheel
        self._some = asyncio.Event()

    def add(self, connection: Connection) -> None:
        """Puts the connection on the wheel."""
        connection.slot = self._slots[self._next]
        connection.slot.add(connection)
        self._count += 1
        self._some.set()
        self._end_on_time(connection, time.time())
        self._next = (self._next + 1) % SLOTS

    def _end_on_time(self, connection: Connection, wall: float) -> None:
        """Sets a timer for a token that expires before the wheel comes by again."""
        if connection.reader is None:
            return
        left = connection.reader.expires_at - wall
        if left <= self._period:
            asyncio.get_running_loop().call_later(
                max(0.0, left), connection.dismiss, TOKEN_EXPIRED, "token expired"
            )

    def discard(self, connection: Connection) -> None:
        """Takes the connection off the wheel, if it is on it."""
        if connection.slot is not None and connection in connection.slot:
            connection.slot.remove(connection)
            self._count -= 1

    async def run(self) -> None:
        """Turns the wheel until cancelled; it stands still while nobody is on it."""
        loop = asyncio.get_running_loop()
        tick = self._period / SLOTS
        due = loop.time()
        while True:
            for slot in self._slots:
                if not self._count:
                    self._some.clear()
                    await self._some.wait()
                # When it is more than a tick late, the wheel does not catch up.
                due = max(due + tick, loop.time())
                await asyncio.sleep(due - loop.time())
                if slot:
                    self._visit(tuple(slot), loop.time(), time.time())

    def _visit(self, connections: tuple[Connection, ...], now: float, wall: float) -> None:
        for connection in connections:
            feed = connection.feed
            if connection.closing:
                continue
            if connection.awaits_pong:
                metrics.aborted.labels("silent").inc()
                log.info("client_silent", remote=connection.remote, board=feed.board)
                connection.abort()
                continue
            if connection.reader is not None:
                self._end_on_time(connection, wall)
            connection.messages = 0
            idle = now - feed.sent_at >= self._period / 2
            connection.awaits_pong = connection.write(feed.heartbeat() if idle else PING_FRAME)

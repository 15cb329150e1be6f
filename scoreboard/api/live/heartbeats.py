"""Pings and heartbeats, on one wheel for all connections: each has a slot, and the wheel visits
one slot after the other, so that the pings of ten thousand clients spread evenly over the period
and none of them needs a timer of its own."""

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
    ping before, dismisses it when its token has expired, else pings it. A board that was idle for
    half a period sends its heartbeat along."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._slots: list[set[Connection]] = [set() for _ in range(SLOTS)]
        self._next = 0

    def add(self, connection: Connection) -> None:
        connection.slot = self._slots[self._next]
        connection.slot.add(connection)
        self._next = (self._next + 1) % SLOTS

    def discard(self, connection: Connection) -> None:
        if connection.slot is not None:
            connection.slot.discard(connection)

    async def run(self) -> None:
        """Turns the wheel until cancelled."""
        loop = asyncio.get_running_loop()
        tick = self._period / SLOTS
        due = loop.time()
        while True:
            for slot in self._slots:
                # Behind by more than a tick, the wheel turns slower instead of catching up.
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
            if connection.expires_at <= wall:
                connection.dismiss(TOKEN_EXPIRED, "token expired")
                continue
            connection.messages = 0
            idle = now - feed.sent_at >= self._period / 2
            connection.awaits_pong = connection.write(feed.heartbeat() if idle else PING_FRAME)

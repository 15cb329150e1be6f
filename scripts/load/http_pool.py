"""Connections to the server: one call at a time on each, opened again when they are lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from typing import Protocol, cast

from scripts.load.http1 import Answer, AnswerParser, ProtocolError
from scripts.load_test.plan import Target
from scripts.load_test.traffic import Call, Requests

REOPEN_AFTER = 0.1  # seconds, up to twice as many


class Owner(Protocol):
    """Who sends the calls."""

    def answered(self, call: Call, answer: Answer, now: int) -> None: ...

    def lost(self, call: Call) -> None:
        """The connection broke before the answer."""


class Connection(asyncio.Protocol):
    """A kept connection; ``ended`` is done when it is lost."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser = AnswerParser()
        self._transport: asyncio.Transport | None = None
        self.call: Call | None = None
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def send(self, call: Call, request: bytes) -> None:
        assert self._transport is not None
        self.call = call
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        try:
            answers = self._parser.feed(data)
        except ProtocolError:
            self.abort()
            return
        for answer in answers:
            call, self.call = self.call, None
            if call is None:  # an answer to nothing
                self.abort()
                return
            self._pool.done(self, call, answer)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        call, self.call = self.call, None
        self._pool.gone(self, call)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Pool:
    """``size`` connections. Calls for which none is free wait, and their latency grows."""

    def __init__(self, owner: Owner, target: Target, requests: Requests, size: int) -> None:
        self._owner = owner
        self._target = target
        self._requests = requests
        self._size = size
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._waiting: deque[Call] = deque()

    @property
    def unsettled(self) -> int:
        """Calls that wait or are under way."""
        return len(self._waiting) + sum(1 for connection in self._open if connection.call)

    async def keep(self, started: asyncio.Event) -> None:
        """Hold the connections until cancelled; ``started`` is set when all have been open."""
        try:
            async with asyncio.TaskGroup() as slots:
                for _ in range(self._size):
                    slots.create_task(self._hold(started))
        finally:
            for connection in self._open:
                connection.close()

    def submit(self, call: Call) -> None:
        self._waiting.append(call)

    def submit_first(self, call: Call) -> None:
        """Ahead of those that wait."""
        self._waiting.appendleft(call)

    def give_up_unsent(self) -> list[Call]:
        """Take back the calls that wait and were never sent."""
        unsent = [call for call in self._waiting if not call.attempts]
        self._waiting = deque(call for call in self._waiting if call.attempts)
        return unsent

    def flush(self) -> None:
        """Send what waits, as far as connections are free."""
        while self._waiting and self._idle:
            connection = self._idle.popleft()
            call = self._waiting.popleft()
            call.attempts += 1
            call.sent = time.monotonic_ns()
            connection.send(call, self._requests.of(call))

    def abort_older_than(self, sent: int) -> None:
        """Break the connections whose call was sent before the instant ``sent``."""
        for connection in tuple(self._open):
            if connection.call is not None and connection.call.sent < sent:
                connection.abort()

    def done(self, connection: Connection, call: Call, answer: Answer) -> None:
        self._owner.answered(call, answer, time.monotonic_ns())
        if answer.closes:
            connection.close()
            return
        self._idle.append(connection)
        self.flush()

    def gone(self, connection: Connection, call: Call | None) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if call is not None:
            self._owner.lost(call)

    async def _hold(self, started: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(self), self._target.host, self._target.port
                )
            except OSError:
                pass
            else:
                self._open.add(connection)
                self._idle.append(connection)
                if len(self._open) == self._size:
                    started.set()
                self.flush()
                await connection.ended
            await asyncio.sleep(REOPEN_AFTER * (1 + random.random()))

"""Connections to the server: one call at a time on each, opened again when they are lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from scripts.load.http1 import Answer, AnswerParser, ProtocolError
from scripts.load.target import Target

REOPEN_AFTER = 0.1  # seconds, up to twice as many


class Call:
    """One request, whole, that is to be sent at the instant ``due``. Instants are monotonic ns;
    ``sent`` is that of the last of ``attempts``."""

    __slots__ = ("attempts", "due", "request", "sent")

    def __init__(self, request: bytes, due: int) -> None:
        self.request = request
        self.due = due
        self.sent = 0
        self.attempts = 0


C = TypeVar("C", bound=Call)


class Connection(asyncio.Protocol, Generic[C]):
    """A kept connection; ``ended`` is done when it is lost."""

    def __init__(self, pool: Pool[C]) -> None:
        self._pool = pool
        self._parser = AnswerParser()
        self._transport: asyncio.Transport | None = None
        self.call: C | None = None
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def send(self, call: C) -> None:
        assert self._transport is not None
        self.call = call
        self._transport.write(call.request)

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


class Pool(Generic[C]):
    """``size`` connections. Calls for which none is free wait, and their latency grows.

    ``answered`` gets a call with its answer and the instant of that; ``lost`` gets one whose
    connection broke before the answer.
    """

    def __init__(
        self,
        target: Target,
        size: int,
        answered: Callable[[C, Answer, int], None],
        lost: Callable[[C], None],
    ) -> None:
        self._target = target
        self._size = size
        self._answered = answered
        self._lost = lost
        self._idle: deque[Connection[C]] = deque()
        self._open: set[Connection[C]] = set()
        self._waiting: deque[C] = deque()

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

    def submit(self, call: C) -> None:
        """Have ``call`` sent when a connection is free; ``flush`` looks whether one is."""
        self._waiting.append(call)

    def submit_first(self, call: C) -> None:
        """Ahead of those that wait."""
        self._waiting.appendleft(call)

    def give_up_unsent(self) -> list[C]:
        """Take back the calls that wait and were never sent."""
        unsent = [call for call in self._waiting if not call.attempts]
        self._waiting = deque(call for call in self._waiting if call.attempts)
        return unsent

    def flush(self) -> None:
        """Send what waits, as far as connections are free."""
        while self._waiting and self._idle:
            self._send(self._idle.popleft())

    def abort_older_than(self, sent: int) -> None:
        """Break the connections whose call was sent before the instant ``sent``."""
        for connection in tuple(self._open):
            if connection.call is not None and connection.call.sent < sent:
                connection.abort()

    def done(self, connection: Connection[C], call: C, answer: Answer) -> None:
        """From a connection: ``call`` was answered."""
        self._answered(call, answer, time.monotonic_ns())
        if answer.closes:
            connection.close()
        elif self._waiting:
            self._send(connection)
        else:
            self._idle.append(connection)

    def gone(self, connection: Connection[C], call: C | None) -> None:
        """From a connection: it is lost, perhaps with a ``call`` under way."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if call is not None:
            self._lost(call)

    def _send(self, connection: Connection[C]) -> None:
        call = self._waiting.popleft()
        call.attempts += 1
        call.sent = time.monotonic_ns()
        connection.send(call)

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

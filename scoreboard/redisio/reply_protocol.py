"""Reads Redis's replies in a protocol of its own, without redis-py's stream reader.

redis-py reads a reply through five nested coroutines and a stream. For small calls sent one after
another, that is half of the CPU that a call costs this process.
"""

from __future__ import annotations

import asyncio
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

from scoreboard.redisio.refusals import error_of


class Replies(asyncio.Protocol):
    """Reads the replies of one connection; commands must not be pipelined: the next may be sent
    only when all replies of the previous one have arrived."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=error_of)
        self._transport: asyncio.WriteTransport | None = None
        self._answer: asyncio.Future[list[Any]] | None = None
        self._late: asyncio.TimerHandle | None = None  # asyncio.timeout would take 2 µs more
        self._received: list[Any] = []
        self._expected = 0

    def take_over(self, transport: asyncio.WriteTransport) -> None:
        """Makes this the protocol of ``transport``, so that its data arrives here."""
        self._transport = transport
        transport.set_protocol(self)

    @property
    def connected(self) -> bool:
        """True unless the connection is known to be closed or closing."""
        return self._transport is not None and not self._transport.is_closing()

    def abort(self) -> None:
        """Ends the connection at once."""
        self._cancel_timer()
        if self._transport is not None:
            self._transport.abort()

    def send(self, command: bytes, replies: int, deadline: float) -> asyncio.Future[list[Any]]:
        """Sends ``command``. What is returned gets its ``replies``, where each error reply is an
        exception; or redis-py's ConnectionError when the connection is lost before the last one,
        or TimeoutError at the ``deadline`` (loop time). When it gets an error or is cancelled, the
        connection must be aborted: replies that are still to come would otherwise be taken for
        those of the next command."""
        assert self._transport is not None
        self._transport.write(command)
        self._received = []
        self._expected = replies
        loop = asyncio.get_running_loop()
        self._late = loop.call_at(deadline, self._fail, TimeoutError, "")
        self._answer = loop.create_future()
        return self._answer

    def data_received(self, data: bytes) -> None:
        """Ends the wait for the replies when the last has come."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._received.append(reply)
        except InvalidResponse as error:
            self.connection_lost(error)
            return
        if len(self._received) >= self._expected and self._answer and not self._answer.done():
            self._cancel_timer()
            self._answer.set_result(self._received)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the wait with an error."""
        self._cancel_timer()
        self._fail(RedisConnectionError, str(exc or "Redis closed the connection."))

    def _fail(self, kind: type[Exception], text: str) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(kind(text))

    def _cancel_timer(self) -> None:
        if self._late is not None:
            self._late.cancel()

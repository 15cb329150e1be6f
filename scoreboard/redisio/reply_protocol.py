"""Replies read as they arrive.

redis-py reads a reply in five nested coroutines and a stream; for who sends one small call after
the other that is half of what a call costs the process.
"""

from __future__ import annotations

import asyncio
from typing import Any

import hiredis
from redis.exceptions import (
    BusyLoadingError,
    InvalidResponse,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

_ERRORS: dict[str, type[ResponseError] | type[BusyLoadingError]] = {
    "LOADING": BusyLoadingError,
    "NOSCRIPT": NoScriptError,
    "OOM": OutOfMemoryError,
    "READONLY": ReadOnlyError,
}


def _error(text: str) -> Exception:
    return _ERRORS.get(text.partition(" ")[0], ResponseError)(text)


class Replies(asyncio.Protocol):
    """The protocol of a connection on which nothing is sent before the last answer is complete."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=_error)
        self._transport: asyncio.WriteTransport | None = None
        self._answer: asyncio.Future[list[Any]] | None = None
        self._received: list[Any] = []
        self._expected = 0

    def take_over(self, transport: asyncio.WriteTransport) -> None:
        """From now on what arrives on ``transport`` comes here."""
        self._transport = transport
        transport.set_protocol(self)

    @property
    def connected(self) -> bool:
        """Whether something can be sent, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, command: bytes, replies: int) -> list[Any]:
        """Sends ``command`` and returns that many replies; those that are errors, as exceptions.
        Raises ConnectionError of redis-py when the connection is lost before the last one. Whoever
        stops waiting must close the connection: what arrives then is not his."""
        assert self._transport is not None
        self._transport.write(command)
        self._received = []
        self._expected = replies
        self._answer = asyncio.get_running_loop().create_future()
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._received.append(reply)
        except InvalidResponse as error:
            self.connection_lost(error)
            return
        if len(self._received) >= self._expected and self._answer and not self._answer.done():
            self._answer.set_result(self._received)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            lost = RedisConnectionError(str(exc or "Redis closed the connection."))
            self._answer.set_exception(lost)

"""Connections that were refused: told why, and closed."""

from __future__ import annotations

import asyncio
from typing import cast

LINGER = 1.0  # seconds that a client has to read the answer
MOST_LINGERING = 256  # connections; further ones are closed at once


class TurnedAway(asyncio.Protocol):
    """Sends ``words``, an HTTP response, and then reads and ignores what comes: a socket that is
    closed over unread bytes is reset, and the client may never see the answer."""

    _lingering = 0

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answers."""
        stream = cast(asyncio.Transport, transport)  # uvloop's are not instances of it
        stream.write(self._words)
        if TurnedAway._lingering >= MOST_LINGERING or not stream.can_write_eof():
            stream.close()
            return
        TurnedAway._lingering += 1
        stream.write_eof()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LINGER, stream.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or was given up."""
        if self._timer is not None:
            self._timer.cancel()
            TurnedAway._lingering -= 1

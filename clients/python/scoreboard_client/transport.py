"""How requests and WebSockets reach the service: by aiohttp, unless another way is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp

LARGEST_MESSAGE = 1 << 20
FAREWELL = 0.1  # seconds that a server may take to answer the end of a WebSocket


@dataclass(frozen=True)
class Response:
    """An answer, whatever its status. Names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class SocketClosed(Exception):
    """The WebSocket has ended; ``code`` is that of its close frame, 1006 if there was none."""

    def __init__(self, code: int) -> None:
        super().__init__(f"close code {code}")
        self.code = code


class HandshakeRefused(Exception):
    """The service answered the opening of a WebSocket with an HTTP status."""

    def __init__(self, status: int, retry_after: float) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.retry_after = retry_after


class Socket(Protocol):
    """An open WebSocket."""

    async def receive(self) -> str:
        """The next text. Raises SocketClosed."""

    async def close(self) -> None:
        """Ends it."""


class Transport(Protocol):
    """Failures of the network are OSErrors. What takes too long is cancelled by the caller."""

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        """The answer to a request."""

    async def connect(self, url: str) -> Socket:
        """A WebSocket. Raises HandshakeRefused, OSError."""

    async def close(self) -> None:
        """Lets all connections go."""


class AiohttpTransport:
    """A session of aiohttp, made at the first call."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        return self._session

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        """See Transport."""
        try:
            async with self._opened().request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                told = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status, told, await response.read())
        except aiohttp.ClientError as error:
            raise OSError(str(error) or type(error).__name__) from error

    async def connect(self, url: str) -> Socket:
        """See Transport."""
        try:
            socket = await self._opened().ws_connect(
                url,
                max_msg_size=LARGEST_MESSAGE,
                timeout=aiohttp.ClientWSTimeout(ws_close=FAREWELL),
            )
        except aiohttp.WSServerHandshakeError as error:
            asked = error.headers.get("Retry-After") if error.headers else None
            raise HandshakeRefused(error.status, seconds_of(asked)) from error
        except aiohttp.ClientError as error:
            raise OSError(str(error) or type(error).__name__) from error
        return _AiohttpSocket(socket)

    async def close(self) -> None:
        """See Transport."""
        if self._session is not None:
            await self._session.close()


class _AiohttpSocket:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> str:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        raise SocketClosed(self._socket.close_code or 1006)

    async def close(self) -> None:
        await self._socket.close()


def seconds_of(retry_after: str | None) -> float:
    """The header's seconds; 0 when there is none, or a date."""
    return (
        float(retry_after)
        if retry_after and retry_after.isascii() and retry_after.isdigit()
        else 0.0
    )

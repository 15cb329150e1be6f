"""HTTP as bytes on a socket: what no client library sends."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from yarl import URL

from tests.support.waiting import PATIENCE


@dataclass(frozen=True)
class RawAnswer:
    """A response as it came; ``headers`` by their names in small letters."""

    version: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Raw:
    """A connection that speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, url: str, *, receive_buffer: int | None = None) -> Raw:
        """Connects to the server of ``url``. A small ``receive_buffer`` (bytes) makes the server
        notice soon that nobody reads. ``end`` is to follow, whatever comes between."""
        target = URL(url)
        limit = 2**16 if receive_buffer is None else 1
        reader, writer = await asyncio.open_connection(target.host, target.port, limit=limit)
        if receive_buffer is not None:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def say_no_more(self) -> None:
        """Half-closes the connection."""
        self._writer.write_eof()

    async def response(self, *, to_head: bool = False) -> RawAnswer:
        """The next response, read to its end; the one ``to_head`` has no body."""
        async with asyncio.timeout(PATIENCE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            status_line, *fields = head.removesuffix("\r\n\r\n").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (field.partition(":") for field in fields)
            }
            length = 0 if to_head else int(headers.get("content-length", "0"))
            body = await self._reader.readexactly(length)
        version, status, _ = status_line.split(" ", 2)
        return RawAnswer(version, int(status), headers, body)

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """Status and JSON of the next response."""
        response = await self.response()
        return response.status, response.json

    async def line(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readline()

    async def rest(self) -> bytes:
        """What comes until the server hangs up."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read()

    def close(self) -> None:
        """Hangs up once all is sent."""
        self._writer.close()

    async def end(self) -> None:
        """Hangs up, and returns when nothing of the connection is left."""
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()

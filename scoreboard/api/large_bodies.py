"""Large answers, written as their readers read them. aiohttp copies a whole body for each
connection and keeps that until it is read: readers who read nothing would hold megabytes each."""

from __future__ import annotations

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

PART = 64 * 1024  # bytes that are written at once


class _InParts(Payload):
    def __init__(self, body: bytes, content_type: str) -> None:
        super().__init__(body, content_type=content_type)
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        body = memoryview(self._value)
        for at in range(0, len(body), PART):
            await writer.write(body[at : at + PART])


def write_in_parts(response: web.StreamResponse) -> None:
    """Has the body of ``response`` written in parts if it is large."""
    if isinstance(response, web.Response):
        body = response.body
        if isinstance(body, bytes) and len(body) > PART:
            response.body = _InParts(body, response.content_type)

"""The upgrade to WebSocket (RFC 6455, section 4.2), after which the socket belongs to this service
and no longer to aiohttp.

aiohttp's own WebSocketResponse keeps the request, its headers, two tasks, two parsers and a queue
for as long as the client stays: 16 KB and 57 objects under the garbage collector, which then stops
a process with 10,000 clients for half a second. None of these is needed to send frames.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from scoreboard.errors import InvalidRequest, UpgradeRequired

VERSION = "13"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept(request: web.Request) -> bytes:
    """The answer that opens the WebSocket. Raises InvalidRequest when the request is not a valid
    upgrade, UpgradeRequired when it asks for a version that is not spoken here."""
    headers = request.headers
    key = headers.get("Sec-WebSocket-Key", "")
    upgrades = "websocket" in _listed(request, "Upgrade")
    if not (upgrades and "upgrade" in _listed(request, "Connection")) or (
        request.version < HttpVersion11
    ):
        raise InvalidRequest("This is a WebSocket endpoint: ask for an upgrade.")
    if request.method != "GET" or request.body_exists:  # what follows the head would be frames
        raise InvalidRequest("A WebSocket is opened by a GET without a body.")
    if headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
        raise UpgradeRequired(
            f"Only version {VERSION} of the WebSocket protocol is spoken here.",
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": VERSION,
            },
        )
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != 16:
        raise InvalidRequest("Sec-WebSocket-Key has to be 16 bytes in base64.")
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def _listed(request: web.Request, name: str) -> set[str]:
    """The members of a header that is a list, on however many lines (RFC 9110, section 5.3)."""
    lines = request.headers.getall(name, ())
    return {member.strip().lower() for line in lines for member in line.split(",")}


def take_over(request: web.Request, protocol: asyncio.Protocol) -> asyncio.Transport | None:
    """Gives the request's connection to ``protocol``; to aiohttp it looks as if the client had
    left. Returns the transport, or None if the client has in fact left."""
    handler = request.protocol
    transport = handler.transport
    if transport is None or transport.is_closing():
        return None
    handler.transport = None  # or connection_lost below would close it
    transport.set_protocol(protocol)
    handler.connection_lost(None)
    transport.resume_reading()  # which aiohttp may have paused
    return transport


class TakenOver(web.StreamResponse):
    """The response that a handler returns after ``take_over``: it sends nothing."""

    def __init__(self) -> None:
        super().__init__(status=101)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Writes no head."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Writes no end."""

    @property
    def body_length(self) -> int:
        """The 0 that the access log shows."""
        return 0

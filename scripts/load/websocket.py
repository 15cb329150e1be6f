"""As much of a WebSocket client as a viewer needs: whole, unmasked text frames from the server."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from abc import ABC, abstractmethod
from struct import pack
from typing import NamedTuple, cast

from scripts.load.http1 import SWITCHING_PROTOCOLS, AnswerParser, ProtocolError

TEXT, CLOSE, PING = 0x1, 0x8, 0x9
MAX_PAYLOAD = 1024 * 1024
_FIN = 0x80


class Frame(NamedTuple):
    opcode: int
    payload: bytes


class FrameParser:
    """Cuts a stream of bytes into frames, however the bytes are split."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by ``data``. Raises ProtocolError."""
        if self._buffer:
            data = self._buffer + data
        frames = []
        start = 0
        while len(data) - start >= 2:
            first, size, at = data[start], data[start + 1], start + 2
            if size == 126:
                size, at = int.from_bytes(data[at : at + 2], "big"), at + 2
            elif size == 127:
                size, at = int.from_bytes(data[at : at + 8], "big"), at + 8
            if len(data) < at:
                break
            if not first & _FIN or first & 0x70 or size > MAX_PAYLOAD:
                raise ProtocolError("a frame in parts, with extensions or too large")
            if len(data) < at + size:
                break
            frames.append(Frame(first & 0x0F, data[at : at + size]))
            start = at + size
        self._buffer = data[start:]
        return frames


def handshake(authority: str, path: str, headers: str = "") -> bytes:
    """The request that opens a WebSocket; each of the ``headers`` ends with CR LF."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {authority}\r\n{headers}Connection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


class WebSocket(ABC, asyncio.Protocol):
    """One connection: sends ``request``, answers pings, hands texts on to ``received``. What can't
    be understood ends it, a ValueError of ``received`` among that. ``ended`` is set without a
    connection."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.ended = asyncio.Event()
        self.ended.set()

    @abstractmethod
    def received(self, payload: bytes, now: int) -> None:
        """Takes a text that came at ``now`` (monotonic ns)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self._answers: AnswerParser | None = AnswerParser()
        self._frames = FrameParser()
        self.ended.clear()
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        try:
            if self._answers is not None:
                data = self._upgraded(self._answers, data)
            for opcode, payload in self._frames.feed(data):
                if opcode == TEXT:
                    self.received(payload, now)
                elif opcode == PING:
                    self.transport.write(pong(payload))
                elif opcode == CLOSE:
                    self.transport.close()
        except (ProtocolError, ValueError):
            self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set()

    def _upgraded(self, parser: AnswerParser, data: bytes) -> bytes:
        """What follows the answer to the handshake."""
        for answer in parser.feed(data):
            if answer.status != SWITCHING_PROTOCOLS:
                raise ProtocolError(f"the handshake was answered {answer.status}")
            self._answers = None
            return parser.rest()
        return b""


def pong(payload: bytes) -> bytes:
    """The answer to a ping. A client must mask its frames; a mask of zeros leaves them readable."""
    return pack("!BB4x", _FIN | 0xA, 0x80 | len(payload)) + payload

"""As much of a WebSocket client as a watcher needs: whole, unmasked text frames from the server."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from struct import pack

from scripts.load.http1 import ProtocolError
from scripts.load_test.plan import Target

TEXT, CLOSE, PING = 0x1, 0x8, 0x9
MAX_PAYLOAD = 1024 * 1024
_FIN = 0x80


@dataclass(frozen=True, slots=True)
class Frame:
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


def handshake(target: Target, board: str) -> bytes:
    """The request that opens a WebSocket on ``board``."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /ws/leaderboard?board={board} HTTP/1.1\r\nHost: {target.authority}\r\n"
        f"Authorization: Bearer {target.token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


def pong(payload: bytes) -> bytes:
    """The answer to a ping. A client must mask its frames; a mask of zeros leaves them readable."""
    return pack("!BB4x", _FIN | 0xA, 0x80 | len(payload)) + payload

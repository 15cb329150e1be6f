"""WebSocket frames (RFC 6455, section 5.2). A server's frames are whole and unmasked, so one is
built once and written to many connections. Clients' frames are parsed, but their text is
ignored."""

from __future__ import annotations

from itertools import cycle
from struct import pack

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

PROTOCOL_ERROR = 1002
MESSAGE_TOO_BIG = 1009

_FIN, _RESERVED, _OPCODE = 0x80, 0x70, 0x0F
_MASKED, _SIZE = 0x80, 0x7F
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_LONGEST_CONTROL = 125


class FrameError(Exception):
    """A client's bytes are not a valid frame, or too long a frame; ``code`` is the close code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def frame(opcode: int, payload: bytes) -> bytes:
    """A server's frame."""
    size = len(payload)
    if size < 126:
        return pack("!BB", _FIN | opcode, size) + payload
    if size < 65536:
        return pack("!BBH", _FIN | opcode, 126, size) + payload
    return pack("!BBQ", _FIN | opcode, 127, size) + payload


def close(code: int, reason: str) -> bytes:
    """A close frame; ``reason`` is cut to the 123 bytes that fit."""
    text = reason.encode()[: _LONGEST_CONTROL - 2].decode(errors="ignore")
    return frame(CLOSE, pack("!H", code) + text.encode())


def split(data: bytes, *, limit: int, most: int) -> tuple[list[tuple[int, bytes]], bytes]:
    """The complete frames of a client at the start of ``data``, as (opcode, unmasked payload), and
    the bytes after them. No more than ``most`` frames are looked at: a burst of tiny ones must not
    cost more than it takes to see that there are too many. Raises FrameError for a frame that
    breaks the protocol or whose payload has more than ``limit`` bytes; so unless there were
    ``most`` frames, the rest is never longer than a frame of that size."""
    found: list[tuple[int, bytes]] = []
    position = 0
    while len(data) - position >= 2 and len(found) < most:
        first, second = data[position], data[position + 1]
        opcode, size = first & _OPCODE, second & _SIZE
        if first & _RESERVED or opcode not in _OPCODES or not second & _MASKED:
            raise FrameError(PROTOCOL_ERROR, "malformed frame")
        if opcode >= CLOSE and (size > _LONGEST_CONTROL or not first & _FIN):
            raise FrameError(PROTOCOL_ERROR, "malformed control frame")
        start = position + 2
        if size > _LONGEST_CONTROL:
            width = 2 if size == 126 else 8
            if len(data) < start + width:
                break
            size = int.from_bytes(data[start : start + width], "big")
            start += width
        if size > limit:
            raise FrameError(MESSAGE_TOO_BIG, f"messages are limited to {limit} bytes")
        end = start + 4 + size
        if len(data) < end:
            break
        mask, masked = data[start : start + 4], data[start + 4 : end]
        found.append((opcode, bytes(a ^ b for a, b in zip(masked, cycle(mask), strict=False))))
        position = end
    return found, data[position:]


PING_FRAME = frame(PING, b"")

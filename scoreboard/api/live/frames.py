"""WebSocket frames (RFC 6455, section 5.2). A server's frames are whole and unmasked, so one is
built once and written to many connections. Clients' frames are parsed and held to the rules, but
what they say is ignored."""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder
from itertools import cycle
from struct import pack
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
INVALID_TEXT = 1007
MESSAGE_TOO_BIG = 1009

_FIN, _RESERVED, _OPCODE = 0x80, 0x70, 0x0F
_MASKED, _SIZE = 0x80, 0x7F
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_LONGEST_CONTROL = 125

# Those below 3000 that a client may send: 1004 to 1006 are no codes of close frames.
_CLOSE_CODES = frozenset((NORMAL, GOING_AWAY, PROTOCOL_ERROR, 1003, *range(INVALID_TEXT, 1015)))

# What a message of each kind has to be; to Latin-1 all bytes are valid.
_DECODERS = {TEXT: getincrementaldecoder("utf-8"), BINARY: getincrementaldecoder("latin-1")}


class FrameError(Exception):
    """A client's bytes are not a valid frame, or too long a frame; ``code`` is the close code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Received(NamedTuple):
    """A client's frame, unmasked; ``last`` is whether its message ends with it."""

    opcode: int
    payload: bytes
    last: bool


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


def split(data: bytes, *, limit: int, most: int) -> tuple[list[Received], bytes]:
    """The complete frames of a client at the start of ``data``, and the bytes after them. No more
    than ``most`` frames are looked at: a burst of tiny ones must not cost more than it takes to see
    that there are too many. Raises FrameError for a frame that breaks the protocol or whose payload
    has more than ``limit`` bytes; so unless there were ``most`` frames, the rest is never longer
    than a frame of that size."""
    found: list[Received] = []
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
        payload = bytes(a ^ b for a, b in zip(masked, cycle(mask), strict=False))
        found.append(Received(opcode, payload, bool(first & _FIN)))
        position = end
    return found, data[position:]


def follow(begun: IncrementalDecoder | None, part: Received) -> IncrementalDecoder | None:
    """The message of which a text, binary or continuation frame is a part, None when it has ended;
    ``begun`` is the one that has not ended before. Raises FrameError for a frame that has no place
    there, and for text that is not UTF-8."""
    if (begun is None) == (part.opcode == CONTINUATION):
        reason = "a continuation of nothing" if begun is None else "a message within a message"
        raise FrameError(PROTOCOL_ERROR, reason)
    message = begun or _DECODERS[part.opcode]()
    _decode(message, part.payload, last=part.last)
    return None if part.last else message


def echo(payload: bytes) -> int:
    """The close code that answers a client's close frame. Raises FrameError for one that is not
    valid."""
    if not payload:
        return NORMAL
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _CLOSE_CODES or 3000 <= code < 5000):
        raise FrameError(PROTOCOL_ERROR, "malformed close frame")
    _decode(_DECODERS[TEXT](), payload[2:], last=True)
    return code if code <= PROTOCOL_ERROR or code >= 3000 else NORMAL


def _decode(message: IncrementalDecoder, payload: bytes, *, last: bool) -> None:
    try:
        message.decode(payload, last)
    except UnicodeDecodeError:
        raise FrameError(INVALID_TEXT, "text has to be UTF-8") from None


PING_FRAME = frame(PING, b"")

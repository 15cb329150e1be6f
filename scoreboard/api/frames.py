"""WebSocket frames as a server sends them: whole and unmasked (RFC 6455, section 5.2). Built once
and written to many connections."""

from __future__ import annotations

from struct import pack

_FIN = 0x80
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA


def text(payload: bytes) -> bytes:
    """The frame of a text message; ``payload`` is UTF-8."""
    return _frame(_TEXT, payload)


def pong(payload: bytes) -> bytes:
    """The answer to a ping that carried ``payload`` (up to 125 bytes)."""
    return _frame(_PONG, payload)


def close(code: int, reason: str) -> bytes:
    """A close frame; ``reason`` is at most 123 bytes."""
    return _frame(_CLOSE, pack("!H", code) + reason.encode())


def _frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return pack("!BB", _FIN | opcode, size) + payload
    if size < 65536:
        return pack("!BBH", _FIN | opcode, 126, size) + payload
    return pack("!BBQ", _FIN | opcode, 127, size) + payload


PING = _frame(_PING, b"")

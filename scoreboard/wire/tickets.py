"""WebSocket tickets: what a browser shows in place of a token, which it can't send in a header and
which would end up in logs as part of a URL."""

from __future__ import annotations

import re

import msgspec

TICKET_SECONDS = 30
TICKET_BYTES = 16

_form = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


class Ticket(msgspec.Struct, frozen=True):
    """The rights of the token that a ticket was issued for. ``boards`` is None for all boards;
    ``expires_at`` in Unix seconds."""

    subject: str
    scopes: frozenset[str]
    boards: frozenset[str] | None
    expires_at: float


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Ticket)


def encode_ticket(ticket: Ticket) -> bytes:
    return _encoder.encode(ticket)


def decode_ticket(text: bytes | str) -> Ticket:
    """Raises msgspec.DecodeError."""
    return _decoder.decode(text)


def is_ticket(text: str) -> bool:
    """True for what could be a ticket: 16 random bytes in URL-safe base64."""
    return _form.fullmatch(text) is not None

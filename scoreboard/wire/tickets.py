"""WebSocket tickets, which browsers use instead of a token: they can't send a token in a header,
and in a URL it would end up in logs."""

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
    """The ticket's rights as JSON."""
    return _encoder.encode(ticket)


def decode_ticket(text: bytes | str) -> Ticket:
    """The rights in the JSON text. Raises msgspec.DecodeError."""
    return _decoder.decode(text)


def is_ticket(text: str) -> bool:
    """True when ``text`` has the form of a ticket: 16 bytes in URL-safe base64."""
    return _form.fullmatch(text) is not None

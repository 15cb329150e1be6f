"""WebSocket tickets, which browsers use instead of a token: they can't send a token in a header,
and in a URL it would end up in logs."""

from __future__ import annotations

import re

import msgspec

TICKET_SECONDS = 30
TICKET_BYTES = 16

_form = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


class Ticket(msgspec.Struct, frozen=True):
    """The token that a ticket was issued for, as far as it matters. ``boards`` is None for all
    boards; ``expires_at`` and ``issued_at`` in Unix seconds. The latter and ``token_id`` are None
    when the token does not tell them."""

    subject: str
    scopes: frozenset[str]
    boards: frozenset[str] | None
    expires_at: float
    token_id: str | None = None
    issued_at: float | None = None


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

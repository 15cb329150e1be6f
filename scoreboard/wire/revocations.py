"""A revocation as it is told to all processes over Redis, and kept there."""

from __future__ import annotations

import msgspec

from scoreboard.domain.revocations import NEVER, Revocation

WHOLE = b"whole"  # beside revocations: says that these are all

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Revocation)


def encode_revocation(revocation: Revocation) -> bytes:
    """The revocation as JSON, in one form only, since the copy in Redis is a set of these."""
    # msgspec leaves a default out when it is this very object.
    return _encoder.encode(msgspec.structs.replace(revocation, until=min(NEVER, revocation.until)))


def decode_revocation(text: bytes) -> Revocation:
    """Raises msgspec.DecodeError for text that is no revocation."""
    revocation = _decoder.decode(text)
    if (revocation.token is None) is (revocation.subject is None):
        raise msgspec.DecodeError("neither or both of token and subject")
    return revocation

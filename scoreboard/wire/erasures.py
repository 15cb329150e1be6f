"""What processes tell one another of erased players over Redis: digests, never ids."""

from __future__ import annotations

from scoreboard.domain.erasures import DIGEST

_SIGNS = {b"+": True, b"-": False}


def encode_news(digest: bytes, *, erased: bool) -> bytes:
    """From now on the id with this digest is an erased player's, or it is a new one's again."""
    return (b"+" if erased else b"-") + digest.hex().encode()


def decode_news(text: bytes) -> tuple[bytes, bool]:
    """The digest, and whether it is an erased player's. Raises ValueError for text that is not
    this."""
    erased, digest = _SIGNS.get(text[:1]), bytes.fromhex(text[1:].decode())
    if erased is None or len(digest) != DIGEST:
        raise ValueError("Not news of an erased player.")
    return digest, erased

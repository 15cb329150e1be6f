"""What processes tell one another of profiles over Redis, and keep there."""

from __future__ import annotations

import msgspec

from scoreboard.domain.profiles import KnownProfile, Privacy

# The copy of domain/profiles.Privacy, which only grows.
_PRIVACY = {b"named": Privacy(profiles=True), b"private": Privacy(profiles=True, private=True)}
_PRIVACY[b"none"] = Privacy()

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(KnownProfile)


def encode_profile(known: KnownProfile) -> bytes:
    """What is shown of a user from now on, as JSON."""
    return _encode(known)


def decode_profile(text: bytes) -> KnownProfile:
    """Raises msgspec.DecodeError for text that is not this."""
    return _decoder.decode(text)


def privacy_text(privacy: Privacy) -> bytes:
    """The copy in Redis."""
    return next(text for text, meaning in _PRIVACY.items() if meaning == privacy)


def privacy_of(text: bytes | None) -> Privacy | None:
    """What the copy says; None when there is none that this version can read."""
    return None if text is None else _PRIVACY.get(text)

"""Signatures of webhooks as standardwebhooks.com says: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A secret that nobody can guess, in the form that receivers' libraries take."""
    return _PREFIX + b64encode(secrets.token_bytes(_BYTES)).decode()


def signatures(
    secret: str, former: str | None, *, message: str, timestamp: int, body: bytes
) -> str:
    """The value of ``webhook-signature``: one by each secret that is valid. ``timestamp`` is in
    Unix seconds."""
    signed = f"{message}.{timestamp}.".encode() + body
    return " ".join(_signature(one, signed) for one in (secret, former) if one)


def _signature(secret: str, signed: bytes) -> str:
    key = b64decode(secret.removeprefix(_PREFIX))
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()

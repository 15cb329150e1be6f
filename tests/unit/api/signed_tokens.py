"""Tokens of any content, properly signed."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from scoreboard.api.token_rules import ClaimRules

SECRET = "first-secret-of-thirty-two-bytes!"
OTHER = "other-secret-of-thirty-two-bytes!"
KEYS = {"k1": SECRET, "k2": OTHER}
ISSUER, AUDIENCE = "https://issuer.example", "scoreboard"
RULES = ClaimRules(ISSUER, AUDIENCE)


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims with ``changes``; a claim changed to ... is left out."""
    good = {
        "sub": "game-server",
        "scope": "score:write board:read",
        "exp": int(time.time()) + 600,
        "iss": ISSUER,
        "aud": AUDIENCE,
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


def token(secret: str = SECRET, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A properly signed token, unless ``header`` or the changed claims spoil it."""
    text = json.dumps({"alg": "HS256", "typ": "JWT", "kid": "k1"} | (header or {}))
    return signed(text, json.dumps(claims(**changes)), secret)


def signed(header: str, payload: str, secret: str = SECRET) -> str:
    parts = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in (header, payload)]
    signature = jwt.get_algorithm_by_name("HS256").sign(b".".join(parts), secret.encode())
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def bearing(value: str | None) -> web.Request:
    """A request whose Authorization header is ``value`` as it stands (HTTP would strip its ends),
    or that has none."""
    headers = {} if value is None else {"Authorization": value}
    return make_mocked_request("GET", "/", headers=headers)

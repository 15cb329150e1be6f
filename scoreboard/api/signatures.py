"""Signatures, verified by aiohttp-jwt.

aiohttp-jwt 0.6.1 lets OPTIONS pass unverified, answers 401, 403 or 500 depending on what is wrong,
logs what the caller sent, and checks claims without any leeway for clocks. So it is given a
stand-in for a request, its log is turned off, and the PyJWT that it calls looks at signatures only;
``token_rules`` has the rules for everything else.
"""

from __future__ import annotations

import logging
import operator
from types import SimpleNamespace
from typing import Any

import jwt
from aiohttp import web
from aiohttp_jwt import JWTMiddleware, middleware

from scoreboard.api.tokens import verification_key

_SIGNATURE_ONLY = jwt.PyJWT(
    {
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "verify_aud": False,
        "verify_iss": False,
        "verify_sub": False,
        "verify_jti": False,
    }
)
middleware.jwt = SimpleNamespace(
    decode=_SIGNATURE_ONLY.decode,
    InvalidTokenError=jwt.InvalidTokenError,
)

# A filter and not `disabled`, which logging.config may turn on again.
logging.getLogger("aiohttp_jwt.middleware").addFilter(lambda _: False)


class _Envelope(dict[str, Any]):
    """The part of a request that aiohttp-jwt uses: a token, a place for its claims, and a method
    other than OPTIONS, for which it would skip the check."""

    method = "GET"

    def __init__(self, token: str) -> None:
        self.token = token


class SignatureVerifier:
    """Verifies tokens signed with one key: a secret, or a PEM text, that fits ``algorithm`` (see
    ``tokens.verification_key``)."""

    def __init__(self, key: str, algorithm: str) -> None:
        self._verify = JWTMiddleware(
            verification_key(key, algorithm),
            token_getter=operator.attrgetter("token"),
            algorithms=[algorithm],
        )

    async def claims(self, token: str) -> dict[str, Any] | None:
        """The claims, of any type, of a token whose signature is right; else None."""
        envelope = _Envelope(token)
        try:
            await self._verify(envelope, _admitted)
        except (web.HTTPException, ValueError, TypeError, ArithmeticError, RecursionError):
            return None  # all but the first: what PyJWT did not expect
        claims: dict[str, Any] = envelope["payload"]
        return claims


async def _admitted(_: _Envelope) -> web.Response:
    return web.Response()

"""Who is calling: aiohttp-jwt, made strict.

aiohttp-jwt 0.6.1 checks signatures; on its own it also takes tokens without ``exp``, lets OPTIONS
pass unverified, answers 401, 403 or 500 depending on what is wrong, and logs what the caller sent.
So the header's form is checked before aiohttp-jwt sees the token, the claims are checked in its
``is_revoked`` hook, and every refusal becomes the same 401.
"""

from __future__ import annotations

import binascii
import logging
import operator
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from aiohttp_jwt import JWTMiddleware
from msgspec import UNSET, Meta, UnsetType

from scoreboard.api.tokens import ADMIN, BOARD_READ, SCORE_SUBMIT, SCORE_WRITE, verification_key
from scoreboard.domain.actions import Identifier
from scoreboard.domain.boards import is_board_name
from scoreboard.errors import Unauthorized

MAX_HEADER = 4096
REMEMBERED = 10_000

_Verifier = Callable[["_Envelope", Any], Awaitable[web.StreamResponse]]

# A filter and not `disabled`, which logging.config may turn on again.
logging.getLogger("aiohttp_jwt.middleware").addFilter(lambda _: False)

_bearer = re.compile(
    r"bearer +(?P<token>(?P<header>[A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller. ``boards`` is None for all boards; ``expires_at`` in Unix seconds."""

    subject: str
    scopes: frozenset[str]
    boards: frozenset[str] | None
    expires_at: float

    def has(self, scope: str, board: str | None = None) -> bool:
        """True when the token grants ``scope``, on ``board`` if one is named."""
        return scope in self.scopes and (
            board is None or self.boards is None or board in self.boards
        )

    def is_trusted_on(self, board: str) -> bool:
        """May post for any user and create the board: a game server."""
        return self.has(SCORE_WRITE, board)

    def may_submit_for(self, user_id: str, board: str) -> bool:
        """True when the caller may post actions of this user on the board."""
        return self.has(SCORE_WRITE, board) or (
            user_id == self.subject and self.has(SCORE_SUBMIT, board)
        )

    def may_read(self, board: str) -> bool:
        """True when the caller may read the board."""
        return self.has(BOARD_READ, board)

    def may_moderate(self, board: str) -> bool:
        """True when the caller may moderate the board."""
        return self.has(ADMIN, board)


class _Envelope(dict[str, Any]):
    """The part of a request that aiohttp-jwt uses: a token, a place for its claims, and a method
    other than OPTIONS, for which it would skip the check."""

    method = "GET"

    def __init__(self, token: str) -> None:
        self.token = token
        self.principal: Principal | None = None


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    """A token's header. A header with further fields, which could name keys or extensions, is
    refused."""

    alg: str
    typ: Literal["JWT"] = "JWT"
    kid: str | UnsetType = UNSET


class _Claims(msgspec.Struct):
    """The claims that are checked besides the signature; other claims are ignored."""

    sub: Identifier
    exp: Annotated[int, Meta(gt=0, lt=2**53)]
    nbf: int | UnsetType = UNSET
    iat: int | UnsetType = UNSET
    scope: Annotated[str, Meta(max_length=1024)] = ""
    boards: Annotated[list[str], Meta(max_length=256)] | UnsetType = UNSET

    def principal(self) -> Principal:
        """Raises ValueError for a subject that is not Unicode or a name that can't be a board's."""
        self.sub.encode()
        boards = None if self.boards is UNSET else frozenset(self.boards)
        if not all(map(is_board_name, boards or ())):
            raise ValueError("boards")
        return Principal(self.sub, frozenset(self.scope.split()), boards, self.exp)


class Authenticator:
    """Verifies bearer tokens and remembers the verified ones until they expire.

    ``keys`` maps key ids to secrets or PEM texts that fit ``algorithm`` (see
    ``tokens.keys_from``). When ``issuer`` or ``audience`` is set, tokens must have it. A token's
    ``kid`` must be among the keys; it may be missing if there is only one key.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        algorithm: str,
        *,
        issuer: str = "",
        audience: str = "",
        clock: Callable[[], float] = time.time,
        remembered: int = REMEMBERED,
    ) -> None:
        self._algorithm = algorithm
        self._clock = clock
        self._verifiers = {
            key_id: JWTMiddleware(
                verification_key(key, algorithm),
                token_getter=operator.attrgetter("token"),
                is_revoked=self._is_revoked,
                algorithms=[algorithm],
                audience=audience or None,
                issuer=issuer or None,
            )
            for key_id, key in keys.items()
        }
        self._only = next(iter(self._verifiers)) if len(self._verifiers) == 1 else None
        # Two generations instead of a true LRU: a hit in the young one costs one lookup.
        self._young: dict[str, Principal] = {}
        self._old: dict[str, Principal] = {}
        self._generation = max(1, remembered // 2)

    def principal(self, request: web.BaseRequest) -> Principal | None:
        """The caller of a request whose token was verified before, found without awaiting anything;
        None when the token has to be verified first (``authenticate``)."""
        values = request.headers.getall("Authorization", ())
        if len(values) != 1:
            return None
        known = self._young.get(values[0]) or self._recalled(values[0])
        return known if known and known.expires_at > self._clock() else None

    async def authenticate(self, request: web.BaseRequest) -> Principal:
        """The caller. Raises Unauthorized, always the same, without a usable token."""
        return self.principal(request) or await self._verified(request)

    async def _verified(self, request: web.BaseRequest) -> Principal:
        values = request.headers.getall("Authorization", ())
        if not values:
            raise Unauthorized
        principal = await self._verify(values[0]) if len(values) == 1 else None
        if principal is None:
            raise Unauthorized(challenge='Bearer realm="scoreboard", error="invalid_token"')
        self._remember(values[0], principal)
        return principal

    async def _verify(self, value: str) -> Principal | None:
        if len(value) > MAX_HEADER or not (match := _bearer.fullmatch(value)):
            return None
        if not (verifier := self._verifier_for(match["header"])):
            return None
        envelope = _Envelope(match["token"])
        try:
            await verifier(envelope, _admitted)
        except (web.HTTPException, ValueError, TypeError, ArithmeticError):
            return None  # the last three: claims of a type that PyJWT did not expect
        return envelope.principal

    def _verifier_for(self, segment: str) -> _Verifier | None:
        """The verifier for a token with this header; None unless the header is exactly of the form
        that our own tokens have."""
        try:
            header = msgspec.json.decode(_unpadded(segment), type=_Header)
        except (binascii.Error, msgspec.DecodeError):
            return None
        if header.alg != self._algorithm:
            return None
        key_id = self._only if header.kid is UNSET else header.kid
        return None if key_id is None else self._verifiers.get(key_id)

    def _is_revoked(self, envelope: _Envelope, claims: dict[str, Any]) -> bool:
        try:
            principal = msgspec.convert(claims, _Claims).principal()
        except ValueError:
            return True
        if principal.expires_at <= self._clock():
            return True
        envelope.principal = principal
        return False

    def _recalled(self, value: str) -> Principal | None:
        if principal := self._old.get(value):
            self._remember(value, principal)
        return principal

    def _remember(self, value: str, principal: Principal) -> None:
        if len(self._young) >= self._generation:
            self._old, self._young = self._young, {}
        self._young[value] = principal


def _unpadded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


async def _admitted(_: _Envelope) -> web.StreamResponse:
    return web.Response()

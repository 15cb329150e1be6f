"""Revoking tokens by an administrator."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import MODERATION, Bodies, decode
from scoreboard.api.ports import TokenRevoker
from scoreboard.api.written import for_caller
from scoreboard.domain.actions import NO_CONTROL_CHARACTERS, Identifier
from scoreboard.domain.reviews import ReasonText
from scoreboard.domain.revocations import MAX_TOKEN_ID, NEVER, Revocation
from scoreboard.errors import Forbidden, InvalidRequest

AHEAD = 60.0  # seconds that a caller's clock may be ahead when it says "until now"

_TokenId = Annotated[
    str, Meta(min_length=1, max_length=MAX_TOKEN_ID, pattern=NO_CONTROL_CHARACTERS)
]
_Moment = Annotated[datetime, Meta(tz=True)]


class TokenRevocation(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Which tokens are revoked: the one with this ``jti``, or all of the ``subject`` that were
    issued before a moment (default: now). ``until`` is the moment from which they have expired
    anyway, so that the revocation need not be kept (default: for ever)."""

    jti: _TokenId | None = None
    subject: Identifier | None = None
    issued_before: _Moment | None = None
    until: _Moment | None = None
    reason: ReasonText = ""

    def __post_init__(self) -> None:
        if (self.jti is None) is (self.subject is None):
            raise ValueError("name either a jti or a subject")
        if self.jti is not None and self.issued_before is not None:
            raise ValueError("issuedBefore belongs to a subject")


class Revoked(msgspec.Struct, frozen=True, rename="camel"):
    """What is revoked now. ``known`` is false when Redis is away, so that other processes find it
    only when they look again, every ten seconds."""

    jti: str | None
    subject: str | None
    issued_before: datetime | None
    until: datetime | None
    known: bool


_revocation = msgspec.json.Decoder(TokenRevocation)


class TokenHandlers:
    """The calls about tokens."""

    def __init__(self, revoker: TokenRevoker, authenticator: Authenticator, bodies: Bodies) -> None:
        self._revoker = revoker
        self._authenticator = authenticator
        self._bodies = bodies

    async def revoke(self, request: web.Request) -> web.Response:
        """Revokes one token, or all of a subject that were issued before a moment."""
        principal = await self._authenticator.administrator(request)
        if principal.boards is not None:
            raise Forbidden("A token for some boards only can't revoke tokens.")
        asked = decode(_revocation, await self._bodies.read(request, most=MODERATION))
        revocation = _checked(asked, time.time())
        known = await self._revoker.revoke(revocation, by=principal.subject, reason=asked.reason)
        before = datetime.fromtimestamp(revocation.before, UTC) if asked.subject else None
        return for_caller(Revoked(asked.jti, asked.subject, before, asked.until, known))


def _checked(asked: TokenRevocation, now: float) -> Revocation:
    """Raises InvalidRequest for moments that make no sense."""
    until = NEVER if asked.until is None else asked.until.timestamp()
    if until <= now:
        raise InvalidRequest("This moment is over.", path="until")
    if asked.jti is not None:
        return Revocation(token=asked.jti, until=min(until, NEVER))
    before = now if asked.issued_before is None else asked.issued_before.timestamp()
    if not 0 < before <= now + AHEAD:
        raise InvalidRequest("A moment from 1970 on, and not to come.", path="issuedBefore")
    return Revocation(subject=asked.subject, before=before, until=min(until, NEVER))

"""What a token's header and claims may hold, so that those of login services are accepted and
nothing in a token names its own key.

A refusal says which rule was broken, for the log. Its words never repeat anything of the token.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from scoreboard.api.principals import Principal
from scoreboard.domain.actions import NO_CONTROL_CHARACTERS, Identifier
from scoreboard.domain.boards import is_board_name
from scoreboard.domain.revocations import MAX_TOKEN_ID

Reason = Literal[
    "missing",
    "malformed",
    "header",
    "algorithm",
    "unknown_key",
    "signature",
    "claims",
    "expired",
    "not_yet_valid",
    "issuer",
    "audience",
    "revoked",
]

# RFC 7515 has other fields ignored. These name a key or change what the token means, so they are
# refused, in any case of letters.
_KEYS = frozenset({"jwk", "jku", "x5u", "x5c", "epk", "url", "trust_chain"})
_EXTENSIONS = frozenset(
    {"crit", "b64", "zip", "enc", "apu", "apv", "iv", "tag", "p2s", "p2c", "ppt", "svt"}
)
_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})  # RFC 7519, 9068

_LATEST = 2**53  # Unix seconds


class TokenRefused(Exception):
    """The token is not good; ``reason`` is one of few words, ``detail`` says more."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


# Flat, so that a header can neither hide a key nor be nested deeply.
_header = msgspec.json.Decoder(dict[str, str | int | float | bool | None])


def key_id_of(header: str, algorithm: str) -> str | None:
    """The ``kid`` of an encoded header, None when it has none. Raises TokenRefused unless the
    header is as it may be, with ``algorithm``."""
    try:
        fields = _header.decode(_unpadded(header))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        raise TokenRefused("header", "no JSON object of plain values") from None
    if found := (_KEYS | _EXTENSIONS) & {name.lower() for name in fields}:
        raise TokenRefused("header", f"has the field {min(found)}")
    if fields.get("alg") != algorithm:
        raise TokenRefused("algorithm", f"alg is not {algorithm}")
    kind = fields.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenRefused("header", "typ is neither JWT nor at+jwt")
    key_id = fields.get("kid", UNSET)
    if key_id is UNSET:
        return None
    if not isinstance(key_id, str):
        raise TokenRefused("header", "kid is no text")
    return key_id


def _unpadded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


_Moment = Annotated[float, Meta(ge=-_LATEST, lt=_LATEST)]  # RFC 7519 allows fractions
_Scopes = (
    Annotated[str, Meta(max_length=1024)]
    | Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=64)]
)


# None that could not be revoked by it (token_admin.py); an empty one counts as none.
_TokenId = Annotated[str, Meta(max_length=MAX_TOKEN_ID, pattern=rf"^$|{NO_CONTROL_CHARACTERS}")]


class _Claims(msgspec.Struct):
    """The claims that are looked at; others are ignored."""

    sub: Identifier
    exp: Annotated[float, Meta(gt=0, lt=_LATEST)]
    nbf: _Moment | UnsetType = UNSET
    iat: _Moment | UnsetType = UNSET
    iss: str | UnsetType = UNSET
    aud: str | list[str] | UnsetType = UNSET
    jti: _TokenId | UnsetType = UNSET
    scope: _Scopes = ""
    scp: _Scopes = ""
    boards: Annotated[list[str], Meta(max_length=256)] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """Which claims are good. ``issuer`` and ``audience`` are required when set; a token that names
    an audience is refused when none is set. ``leeway`` is how many seconds ``nbf`` and ``iat`` may
    be ahead of our clock. There is none for ``exp``: a token is never good after it."""

    issuer: str = ""
    audience: str = ""
    leeway: float = 30.0

    def principal(self, claims: Mapping[str, Any], now: float) -> Principal:
        """The caller that the claims describe, at the Unix time ``now``. Raises TokenRefused."""
        try:
            known = msgspec.convert(claims, _Claims)
            msgspec.json.encode(known)
        except msgspec.ValidationError as error:
            raise TokenRefused("claims", str(error)) from None
        except UnicodeEncodeError:
            raise TokenRefused("claims", "holds text that is not Unicode") from None
        boards = None if known.boards is UNSET else frozenset(known.boards)
        if not all(map(is_board_name, boards or ())):
            raise TokenRefused("claims", "boards holds what can't be the name of a board")
        self._check_times(known, now)
        self._check_parties(known)
        return Principal(
            known.sub,
            _words(known.scope) | _words(known.scp),
            boards,
            known.exp,
            None if known.jti is UNSET else known.jti,
            None if known.iat is UNSET else known.iat,
        )

    def _check_times(self, claims: _Claims, now: float) -> None:
        if claims.exp <= now:
            raise TokenRefused("expired", "exp is over")
        for name, moment in (("nbf", claims.nbf), ("iat", claims.iat)):
            if moment is not UNSET and moment > now + self.leeway:
                ahead = f"{name} is more than {self.leeway:g} s ahead of the clock here"
                raise TokenRefused("not_yet_valid", ahead)

    def _check_parties(self, claims: _Claims) -> None:
        if self.issuer and claims.iss != self.issuer:
            raise TokenRefused("issuer", "iss is not SCOREBOARD_JWT_ISSUER")
        named = [] if claims.aud is UNSET else claims.aud
        if isinstance(named, str):
            named = [named] if named else []
        if self.audience and self.audience not in named:
            raise TokenRefused("audience", "aud does not have SCOREBOARD_JWT_AUDIENCE")
        if named and not self.audience:
            raise TokenRefused("audience", "has an aud, and SCOREBOARD_JWT_AUDIENCE is not set")


def _words(scopes: str | list[str]) -> frozenset[str]:
    return frozenset(scopes.split() if isinstance(scopes, str) else scopes)

"""Who is calling: bearer tokens, verified once and then remembered. Every refusal becomes the same
401; the log and the metrics have the reason."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from aiohttp import web

from scoreboard.api.key_texts import ANY_KEY_ID
from scoreboard.api.known_revocations import KnownRevocations
from scoreboard.api.live.ports import Reader
from scoreboard.api.principals import Principal
from scoreboard.api.published_keys import PublishedKeys
from scoreboard.api.refusals import RefusalLog
from scoreboard.api.signatures import SignatureVerifier
from scoreboard.api.token_rules import ClaimRules, TokenRefused, key_id_of
from scoreboard.api.tokens import ADMIN
from scoreboard.errors import Forbidden, Unauthorized, Unavailable

MAX_HEADER = 4096
REMEMBERED = 10_000
CHALLENGE = 'Bearer realm="scoreboard", error="invalid_token"'

_bearer = re.compile(
    r"bearer +(?P<token>(?P<header>[A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)",
    re.IGNORECASE | re.ASCII,
)


class Authenticator:
    """Verifies bearer tokens and remembers the verified ones until they expire.

    ``keys`` maps key ids to secrets or PEM texts that fit ``algorithm`` (see
    ``tokens.keys_from``); ``published`` has more of them. A token's ``kid`` must be among the keys,
    unless one is there for any; it may be missing if there is only one key. ``rules`` are those for
    claims.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        algorithm: str,
        rules: ClaimRules,
        *,
        revoked: KnownRevocations | None = None,
        published: PublishedKeys | None = None,
        clock: Callable[[], float] = time.time,
        remembered: int = REMEMBERED,
    ) -> None:
        self._algorithm = algorithm
        self._rules = rules
        self._clock = clock
        self._revoked = _none_revoked() if revoked is None else revoked
        self._refusals = RefusalLog()
        self._keys = keys
        self._published = published
        self._verifiers: dict[str, SignatureVerifier] = {}
        # Two generations instead of a true LRU: a hit in the young one costs one lookup.
        self._young: dict[str, Principal] = {}
        self._old: dict[str, Principal] = {}
        self._generation = max(1, remembered // 2)
        self._use({})
        if published is not None:
            published.use = self._use

    def principal(self, request: web.BaseRequest) -> Principal | None:
        """The caller of a request whose token was verified before, found without awaiting anything;
        None when the token has to be verified first (``authenticate``)."""
        values = request.headers.getall("Authorization", ())
        if len(values) != 1:
            return None
        known = self._young.get(values[0]) or self._recalled(values[0])
        return known if known and known.expires_at > self._clock() else None

    async def authenticate(self, request: web.BaseRequest) -> Principal:
        """The caller. Raises Unauthorized, always the same, without a usable token; Unavailable
        while it is not known whether it is usable."""
        return self.principal(request) or await self._verified(request)

    async def administrator(self, request: web.BaseRequest) -> Principal:
        """The caller, who may have a token for some boards only. Raises as ``authenticate``, and
        Forbidden for anybody else than administrators."""
        principal = await self.authenticate(request)
        if not principal.has(ADMIN):
            raise Forbidden("The token lacks the scope admin.")
        return principal

    async def check_reads(self, request: web.BaseRequest, board: str) -> None:
        """Returns when the caller's token allows reading the board. Raises as ``authenticate``, and
        Forbidden."""
        principal = await self.authenticate(request)
        if not principal.may_read(board):
            raise Forbidden("The token does not allow reading this board.")

    def check(self, reader: Reader) -> None:
        """Raises Unauthorized when the reader's token has expired or was revoked since it was
        verified, here or elsewhere; Unavailable while it is not known which ones are."""
        self._revoked.check_known()
        if reader.expires_at <= self._clock():
            self._refuse(TokenRefused("expired", "exp is over, of an open call or a ticket"))
        if self._revoked.covers(reader):
            self._refuse(TokenRefused("revoked", "revoked, of an open call or a ticket"))

    async def forget_revoked(self) -> None:
        """Forgets the remembered tokens that are revoked now; their next call is refused."""
        for generation in (self._young, self._old):
            for value in [v for v, known in generation.items() if self._revoked.covers(known)]:
                del generation[value]

    def _refuse(self, refusal: TokenRefused) -> NoReturn:
        self._refusals.note(refusal)
        if refusal.reason == "missing":
            raise Unauthorized from None
        raise Unauthorized(challenge=CHALLENGE) from None

    async def _verified(self, request: web.BaseRequest) -> Principal:
        values: Sequence[str] = request.headers.getall("Authorization", ())
        try:
            principal = await self._verify(values)
        except TokenRefused as refusal:
            self._refuse(refusal)
        self._remember(values[0], principal)
        return principal

    async def _verify(self, values: Sequence[str]) -> Principal:
        if not values:
            raise TokenRefused("missing", "no header Authorization")
        if len(values) > 1 or len(values[0]) > MAX_HEADER:
            raise TokenRefused("malformed", f"several headers, or over {MAX_HEADER} characters")
        if not (match := _bearer.fullmatch(values[0])):
            raise TokenRefused("malformed", "not Bearer and three parts in base64url")
        key_id = key_id_of(match["header"], self._algorithm)
        verifier = await self._verifier(key_id)
        claims = await verifier.claims(match["token"])
        if claims is None:
            raise TokenRefused("signature", "not signed with the key that it names")
        principal = self._rules.principal(claims, self._clock())
        await self._revoked.wait_until_known()
        if self._revoked.covers(principal):
            raise TokenRefused("revoked", "revoked, itself or all of its subject's until a moment")
        return principal

    async def _verifier(self, key_id: str | None) -> SignatureVerifier:
        """Raises TokenRefused; Unavailable while the key may be one that could not be read yet."""
        found = self._known_verifier(key_id)
        if found is None and self._published is not None:
            await self._published.look_again()
            found = self._known_verifier(key_id)
            if found is None and not self._published.known:
                raise Unavailable("The keys of tokens can't be read now.")
        if found is None:
            why = "no kid, and there are several keys" if key_id is None else "no key has its kid"
            raise TokenRefused("unknown_key", why)
        return found

    def _known_verifier(self, key_id: str | None) -> SignatureVerifier | None:
        if key_id is None and len(self._verifiers) == 1:
            return next(iter(self._verifiers.values()))
        found = None if key_id is None else self._verifiers.get(key_id)
        return found or self._verifiers.get(ANY_KEY_ID)

    def _use(self, published: Mapping[str, str]) -> None:
        """Takes these keys beside the configured ones. All tokens are verified anew, or those of a
        key that is no longer there would stay good."""
        keys = {**published, **self._keys}
        self._verifiers = {
            key_id: SignatureVerifier(key, self._algorithm) for key_id, key in keys.items()
        }
        self._young, self._old = {}, {}

    def _recalled(self, value: str) -> Principal | None:
        if principal := self._old.get(value):
            self._remember(value, principal)
        return principal

    def _remember(self, value: str, principal: Principal) -> None:
        if len(self._young) >= self._generation:
            self._old, self._young = self._young, {}
        self._young[value] = principal


def _none_revoked() -> KnownRevocations:
    none = KnownRevocations()
    none.are_known()
    return none

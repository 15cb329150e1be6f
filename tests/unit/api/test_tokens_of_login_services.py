"""Tokens as login services make them are taken, and the log tells why others are not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from scoreboard.api.auth import Authenticator
from scoreboard.api.refusals import RefusalLog
from scoreboard.api.token_rules import ClaimRules, TokenRefused
from scoreboard.errors import Unauthorized
from scoreboard.telemetry import metrics
from scoreboard.telemetry.sparing_log import PERIOD
from tests.unit.api.signed_tokens import AUDIENCE, ISSUER, KEYS, RULES, bearing, token

NOW = 1_000_000.0


def accepted_tokens() -> dict[str, dict[str, Any]]:
    """What is changed in a token that is good."""
    return {
        "exp with a fraction": {"exp": NOW + 600.5},
        "iat with a fraction": {"iat": NOW - 0.25},
        "nbf with a fraction": {"nbf": NOW - 0.25},
        "iat a moment ahead": {"iat": NOW + 3},
        "nbf a moment ahead": {"nbf": NOW + 3},
        "access token of RFC 9068": {"header": {"typ": "at+jwt"}},
        "the same as a media type": {"header": {"typ": "application/at+jwt"}},
        "typ in small letters": {"header": {"typ": "jwt"}},
        "typ in mixed letters": {"header": {"typ": "AT+JWT"}},
        "thumbprint of a certificate": {"header": {"x5t": "dGh1bWI", "x5t#S256": "dGh1bWI"}},
        "cty": {"header": {"cty": "json"}},
        "a field of the service's own": {"header": {"cat": "cl_B7d4", "ver": 2, "pi.atm": None}},
        "scope as a list": {"scope": ["score:write", "board:read"]},
        "scp as text": {"scope": ..., "scp": "score:write board:read"},
        "scp as a list": {"scope": ..., "scp": ["score:write", "board:read"]},
        "both": {"scope": "score:write", "scp": ["board:read"]},
        "several audiences": {"aud": ["https://elsewhere.example", AUDIENCE]},
        "jti": {"jti": "b9a1"},
        "a long jti": {"jti": "j" * 512},
        "an empty jti": {"jti": ""},
        "claims of no concern here": {"azp": None, "roles": [{"deep": [1]}], "email": 7},
    }


@pytest.mark.parametrize("changes", accepted_tokens().values(), ids=accepted_tokens().keys())
async def test_a_token_of_a_login_service_is_taken(changes: dict[str, Any]) -> None:
    authenticator = Authenticator(KEYS, "HS256", RULES, clock=lambda: NOW)
    caller = await authenticator.authenticate(bearing(f"Bearer {token(**changes)}"))
    assert caller.scopes == {"score:write", "board:read"}


async def test_a_word_of_a_list_is_one_scope_whatever_it_holds() -> None:
    caller = await Authenticator(KEYS, "HS256", RULES).authenticate(
        bearing(f"Bearer {token(scope=['score:submit admin'])}")
    )
    assert not caller.has("admin")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_the_leeway_is_exact_and_a_setting(claim: str) -> None:
    def at(leeway: float) -> Authenticator:
        rules = ClaimRules(ISSUER, AUDIENCE, leeway=leeway)
        return Authenticator(KEYS, "HS256", rules, clock=lambda: 1000.0)

    def ahead(seconds: float) -> web.Request:
        moment: Any = {claim: 1000 + seconds}
        return bearing(f"Bearer {token(exp=2000, **moment)}")

    await at(30).authenticate(ahead(30))
    await at(0).authenticate(ahead(0))
    for leeway, seconds in ((30, 30.001), (0, 0.001), (0, 30)):
        with pytest.raises(Unauthorized):
            await at(leeway).authenticate(ahead(seconds))


async def test_a_token_is_never_good_after_its_exp() -> None:
    request = bearing(f"Bearer {token(exp=1999.5)}")
    await Authenticator(KEYS, "HS256", RULES, clock=lambda: 1999.0).authenticate(request)
    for late in (
        Authenticator(KEYS, "HS256", RULES, clock=lambda: 1999.5),
        Authenticator(KEYS, "HS256", RULES, clock=lambda: 2000.0),
    ):
        with pytest.raises(Unauthorized):
            await late.authenticate(request)


REASONS: dict[str, dict[str, Any]] = {
    "header": {"header": {"jku": "https://elsewhere.example"}},
    "algorithm": {"header": {"alg": "RS256"}},
    "unknown_key": {"header": {"kid": "stranger"}},
    "signature": {"header": {"kid": "k2"}},
    "claims": {"sub": ["stranger"]},
    "expired": {"exp": 1},
    "not_yet_valid": {"iat": 2**40},
    "issuer": {"iss": "https://stranger.example"},
    "audience": {"aud": "stranger"},
}


@pytest.mark.parametrize("reason", ["missing", "malformed", *REASONS])
async def test_the_log_and_a_metric_have_the_reason_and_nothing_of_the_token(reason: str) -> None:
    if reason == "missing":
        value = None
    elif reason == "malformed":
        value = "Bearer a.b"
    else:  # made here: a token made when tests are collected is over before a long run comes to it
        value = f"Bearer {token(**REASONS[reason])}"
    counter = metrics.tokens_refused.labels(reason)
    before = counter._value.get()
    with capture_logs() as lines, pytest.raises(Unauthorized):
        await Authenticator(KEYS, "HS256", RULES).authenticate(bearing(value))
    assert counter._value.get() == before + 1
    [line] = lines
    assert (line["event"], line["reason"]) == ("token_refused", reason)
    parts = (value or "").removeprefix("Bearer ").split(".")
    for secret in ("stranger", *(part for part in parts if len(part) > 1)):
        assert secret not in str(line)


async def test_a_flood_of_bad_tokens_is_a_line_now_and_then_which_tells_how_many() -> None:
    now = 0.0
    log = RefusalLog(clock=lambda: now)
    with capture_logs() as lines:
        for _ in range(1000):
            log.note(TokenRefused("expired", "exp is over"))
        log.note(TokenRefused("issuer", "another"))
        now = PERIOD
        log.note(TokenRefused("expired", "exp is over"))
    told = [(line["reason"], line.get("unlogged")) for line in lines]
    assert told == [("expired", None), ("issuer", None), ("expired", 999)]


async def test_refusals_at_the_same_moment_do_not_disturb_one_another() -> None:
    authenticator = Authenticator(KEYS, "HS256", RULES)
    good, bad = f"Bearer {token()}", f"Bearer {token(header={'kid': 'k2'})}"
    found = await asyncio.gather(
        *(authenticator.authenticate(bearing(value)) for value in (good, bad) * 20),
        return_exceptions=True,
    )
    assert [isinstance(one, Unauthorized) for one in found] == [False, True] * 20

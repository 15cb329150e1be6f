"""Bearer tokens through a real aiohttp application: what is taken, and that everything else gets
one and the same 401."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from scoreboard.api.auth import Authenticator
from scoreboard.api.principals import Principal
from scoreboard.api.signatures import SignatureVerifier
from scoreboard.api.token_rules import ClaimRules
from scoreboard.api.tokens import mint
from scoreboard.errors import Unauthorized
from tests.unit.api.signed_tokens import (
    AUDIENCE,
    ISSUER,
    KEYS,
    RULES,
    SECRET,
    bearing,
    claims,
    signed,
    token,
)

Connect = Callable[[Authenticator], Awaitable[TestClient[Any, Any]]]


class Clock:
    """Seconds ahead of the real clock, moved by hand."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authenticator(clock: Clock) -> Authenticator:
    return Authenticator(KEYS, "HS256", RULES, clock=clock)


@pytest.fixture
def connect(aiohttp_client: Any) -> Connect:
    """A client of an application whose one resource answers with the caller it recognized."""

    async def connect(authenticator: Authenticator) -> TestClient[Any, Any]:
        async def who(request: web.Request) -> web.Response:
            try:
                caller = await authenticator.authenticate(request)
            except Unauthorized as error:
                headers = {"WWW-Authenticate": error.challenge}
                return web.Response(status=401, text=error.detail, headers=headers)
            return web.json_response({"sub": caller.subject, "scopes": sorted(caller.scopes)})

        app = web.Application()
        app.router.add_route("*", "/", who)
        client: TestClient[Any, Any] = await aiohttp_client(app)
        return client

    return connect


@pytest.fixture
async def client(authenticator: Authenticator, connect: Connect) -> TestClient[Any, Any]:
    return await connect(authenticator)


async def test_a_minted_token_is_recognized_with_its_subject_and_scopes(
    client: TestClient[Any, Any],
) -> None:
    text = mint(
        KEYS, "HS256", subject="s1", scope="score:write board:read", ttl=60,
        issuer=ISSUER, audience=AUDIENCE,
    )  # fmt: skip
    response = await client.get("/", headers={"Authorization": f"Bearer {text}"})
    assert response.status == 200
    assert await response.json() == {"sub": "s1", "scopes": ["board:read", "score:write"]}


async def test_a_request_without_a_token_is_asked_for_one_and_not_told_that_one_was_wrong(
    client: TestClient[Any, Any],
) -> None:
    response = await client.get("/")
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="scoreboard"'


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_may_be_written_in_any_case(
    client: TestClient[Any, Any], scheme: str
) -> None:
    response = await client.get("/", headers={"Authorization": f"{scheme} {token()}"})
    assert response.status == 200


@pytest.mark.parametrize(("key_id", "secret"), KEYS.items())
async def test_each_configured_key_is_good_for_its_own_key_id(
    client: TestClient[Any, Any], key_id: str, secret: str
) -> None:
    text = token(secret, {"kid": key_id})
    response = await client.get("/", headers={"Authorization": f"Bearer {text}"})
    assert response.status == 200


async def test_a_token_without_a_key_id_is_taken_only_when_there_is_a_single_key() -> None:
    without = signed('{"alg":"HS256"}', json.dumps(claims(iss=..., aud=...)))
    alone = Authenticator({"k1": SECRET}, "HS256", ClaimRules())
    assert (await alone.authenticate(bearing(f"Bearer {without}"))).subject == "game-server"
    with pytest.raises(Unauthorized):
        await Authenticator(KEYS, "HS256", ClaimRules()).authenticate(bearing(f"Bearer {without}"))


HEADER = '{"alg":"HS256","kid":"k1"}'


def refused_tokens() -> dict[str, str]:
    good = token()
    header, payload, signature = good.split(".")
    huge = json.dumps(claims()).replace('"exp": ', '"exp": 1' + "0" * 40)
    infinite = json.dumps(claims()).replace(f"{claims()['exp']}", "1e999")
    return {
        "nothing": "",
        "one part": header,
        "two parts": f"{header}.{payload}",
        "four parts": f"{good}.{signature}",
        "no signature": f"{header}.{payload}.",
        "another signature": f"{header}.{payload}.{'A' * len(signature)}",
        "changed claims": f"{header}.{token(sub='somebody-else').split('.')[1]}.{signature}",
        "padding": f"{good}=",
        "not base64url": f"{header}.{payload}.{signature[:-1]}+",
        "impossible length": f"{header}A.{payload}.{signature}",
        "header is not JSON": signed("{", json.dumps(claims())),
        "header is a list": signed("[]", json.dumps(claims())),
        "claims are not JSON": signed('{"alg":"HS256","kid":"k1"}', "{"),
        "claims are a list": signed('{"alg":"HS256","kid":"k1"}', "[]"),
        "no alg": signed('{"kid":"k1"}', json.dumps(claims())),
        "alg none": f"{token(header={'alg': 'none'}).rsplit('.', 1)[0]}.",
        "alg none, signed": token(header={"alg": "none"}),
        "another alg of the family": token(header={"alg": "HS512"}),
        "another family": token(header={"alg": "RS256"}),
        "alg in another case": token(header={"alg": "hs256"}),
        "alg is a list": token(header={"alg": ["HS256"]}),
        "unknown key id": token(header={"kid": "k3"}),
        "key id of another key": token(header={"kid": "k2"}),
        "key id is a number": token(header={"kid": 1}),
        "key id is null": token(header={"kid": None}),
        "crit": token(header={"crit": ["exp"]}),
        "crit with a line break": token(header={"crit": ["a\nforged log line"]}),
        "crit and b64": token(header={"crit": ["b64"], "b64": False}),
        "jwk": token(header={"jwk": {"kty": "oct", "k": "c2VjcmV0"}}),
        "jku": token(header={"jku": "https://elsewhere.example/keys"}),
        "x5u": token(header={"x5u": "https://elsewhere.example/cert"}),
        "x5c": token(header={"x5c": ["MIIB"]}),
        "x5c as text": token(header={"x5c": "MIIB"}),
        "jku in another case": token(header={"JKU": "https://elsewhere.example/keys"}),
        "zip": token(header={"zip": "DEF"}),
        "enc": token(header={"enc": "A128GCM"}),
        "p2c": token(header={"p2c": 10_000_000}),
        "a list in the header": token(header={"note": ["x"]}),
        "an object in the header": token(header={"note": {"jwk": 1}}),
        "a deep header": signed(f'{HEADER[:-1]},"n":{"[" * 1000}', "{}"),
        "typ of another token": token(header={"typ": "dpop+jwt"}),
        "typ of a logout token": token(header={"typ": "logout+jwt"}),
        "typ is empty": token(header={"typ": ""}),
        "typ is null": token(header={"typ": None}),
        "typ is a number": token(header={"typ": 1}),
        "no exp": token(exp=...),
        "exp is null": token(exp=None),
        "exp is text": token(exp=str(claims()["exp"])),
        "exp is true": token(exp=True),
        "exp is not a number": signed(HEADER, json.dumps(claims(exp=math.nan))),
        "exp is below zero": token(exp=-1),
        "exp is a past fraction": token(exp=time.time() - 0.001),
        "exp is huge": signed('{"alg":"HS256","kid":"k1"}', huge),
        "exp is infinite": signed('{"alg":"HS256","kid":"k1"}', infinite),
        "exp is past": token(exp=int(time.time()) - 1),
        "nbf is to come": token(nbf=int(time.time()) + 86_400),
        "nbf is text": token(nbf="0"),
        "nbf is null": token(nbf=None),
        "nbf is not a number": signed(HEADER, json.dumps(claims(nbf=math.nan))),
        "nbf is infinite": signed(HEADER, json.dumps(claims(nbf=math.inf))),
        "iat is to come": token(iat=int(time.time()) + 86_400),
        "iat is text": token(iat="0"),
        "iat is not a number": signed(HEADER, json.dumps(claims(iat=math.nan))),
        "jti is a number": token(jti=1),
        "jti is half a surrogate pair": token(jti="\ud800"),
        "jti holds a NUL": token(jti="a\0b"),
        "jti is longer than one that can be revoked": token(jti="j" * 513),
        "no sub": token(sub=...),
        "sub is empty": token(sub=""),
        "sub is a number": token(sub=7),
        "sub has a line break": token(sub="a\nb"),
        "sub is half a surrogate pair": token(sub="\ud800"),
        "sub is too long": token(sub="s" * 129),
        "no iss": token(iss=...),
        "another iss": token(iss="https://elsewhere.example"),
        "iss is a list": token(iss=[ISSUER]),
        "no aud": token(aud=...),
        "another aud": token(aud="elsewhere"),
        "aud is a number": token(aud=1),
        "aud is null": token(aud=None),
        "aud is true": token(aud=True),
        "aud is an object": token(aud={AUDIENCE: 1}),
        "aud is an empty list": token(aud=[]),
        "aud is a list in a list": token(aud=[[AUDIENCE]]),
        "aud lists what is no text": token(aud=[AUDIENCE, 1]),
        "scope is a number": token(scope=1),
        "scope is an object": token(scope={"score:write": True}),
        "scope lists what is no text": token(scope=["score:write", 1]),
        "scope lists too much": token(scope=["s"] * 65),
        "scope is half a surrogate pair": token(scope="\ud800"),
        "scp is null": token(scp=None),
        "boards is text": token(boards="global"),
        "boards is null": token(boards=None),
        "boards holds what is no board": token(boards=["Not A Board"]),
        "too long": token(note="n" * 4096),
    }  # fmt: skip


@pytest.mark.parametrize("text", refused_tokens().values(), ids=refused_tokens().keys())
async def test_a_token_that_is_not_exactly_right_gets_the_one_401(
    client: TestClient[Any, Any], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await client.get("/", headers={"Authorization": f"Bearer {text}"})
    assert response.status == 401
    assert (
        response.headers["WWW-Authenticate"] == 'Bearer realm="scoreboard", error="invalid_token"'
    )
    assert await response.text() == "A valid bearer token is needed."
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "value",
    [
        "{token}",
        "Bearer{token}",
        "Bearer\t{token}",
        "Bearerish {token}",
        "Basic {token}",
        "Bearer  {token} more",
        "Bearer {token} ",
        "Bearer {token}\n",
        " Bearer {token}",
        "Bearer {token}, Bearer {token}",
        "Bearer {token}é",
        "ſearer {token}",
    ],
)
async def test_a_header_of_another_form_is_refused(
    authenticator: Authenticator, value: str
) -> None:
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(bearing(value.format(token=token())))


async def test_two_authorization_headers_are_refused_even_if_one_is_known(
    client: TestClient[Any, Any],
) -> None:
    one = ("Authorization", f"Bearer {token()}")
    assert (await client.get("/", headers=[one])).status == 200
    assert (await client.get("/", headers=[one, one])).status in (400, 401)
    other = ("Authorization", "Bearer x.y.z")
    assert (await client.get("/", headers=[one, other])).status in (400, 401)


async def test_the_method_options_is_no_way_around(client: TestClient[Any, Any]) -> None:
    for headers in ({}, {"Authorization": "Bearer a.b.c"}, {"Authorization": f"Bearer {token()}x"}):
        assert (await client.options("/", headers=headers)).status == 401
    good = {"Authorization": f"Bearer {token()}"}
    assert (await client.options("/", headers=good)).status == 200


async def test_audience_lists_are_searched() -> None:
    strict = Authenticator(KEYS, "HS256", RULES)
    caller = await strict.authenticate(bearing(f"Bearer {token(aud=['elsewhere', AUDIENCE])}"))
    assert caller.subject == "game-server"


async def test_a_token_for_somebody_else_is_refused_where_no_audience_is_set() -> None:
    with pytest.raises(Unauthorized):
        await Authenticator(KEYS, "HS256", ClaimRules()).authenticate(bearing(f"Bearer {token()}"))


async def test_a_known_token_is_recognized_at_once_and_without_verifying_it_again(
    authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = bearing(f"Bearer {token()}")
    assert authenticator.principal(request) is None
    caller = await authenticator.authenticate(request)
    monkeypatch.setattr(SignatureVerifier, "claims", None)
    assert authenticator.principal(request) is caller
    assert await authenticator.authenticate(bearing(request.headers["Authorization"])) is caller


async def test_a_known_token_expires_on_time(authenticator: Authenticator, clock: Clock) -> None:
    expires = int(time.time()) + 600
    request = bearing(f"Bearer {token(exp=expires)}")
    await authenticator.authenticate(request)
    clock.ahead = 590
    assert authenticator.principal(request) is not None
    clock.ahead = 600
    assert authenticator.principal(request) is None
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(request)


async def test_refused_tokens_are_not_remembered_and_known_ones_are_bounded() -> None:
    small = Authenticator(KEYS, "HS256", RULES, remembered=8)
    with pytest.raises(Unauthorized):
        await small.authenticate(bearing("Bearer a.b.c"))
    requests = [bearing(f"Bearer {token(sub=f'user-{n}')}") for n in range(30)]
    favourite = requests[0]
    for request in requests:
        await small.authenticate(request)
        assert small.principal(favourite) is not None
    remembered = sum(small.principal(request) is not None for request in requests)
    assert 1 <= remembered <= 8


def principal(scope: str, boards: frozenset[str] | None = None) -> Principal:
    return Principal("ann", frozenset(scope.split()), boards, 0.0)


def test_a_game_server_may_submit_for_anybody_and_a_player_only_for_itself() -> None:
    server, player, reader = map(principal, ("score:write", "score:submit", "board:read"))
    assert server.may_submit_for("bob", "global")
    assert server.is_trusted_on("global")
    assert player.may_submit_for("ann", "global")
    assert not player.may_submit_for("bob", "global")
    assert not player.is_trusted_on("global")
    assert not reader.may_submit_for("ann", "global")


def test_a_token_for_some_boards_grants_nothing_on_others() -> None:
    everything = "score:write score:submit board:read admin"
    caller = principal(everything, frozenset({"arena"}))
    for board, allowed in (("arena", True), ("global", False)):
        assert caller.may_submit_for("ann", board) is allowed
        assert caller.may_read(board) is allowed
        assert caller.may_moderate(board) is allowed
        assert caller.is_trusted_on(board) is allowed
    assert not principal(everything, frozenset()).may_read("arena")


def test_a_scope_is_a_whole_word() -> None:
    assert not principal("score:writes xscore:write board:*").may_submit_for("ann", "global")

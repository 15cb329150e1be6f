"""Keys that a login service publishes: read, refreshed, and kept while the source is away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from scoreboard.api import published_keys as module
from scoreboard.api.auth import Authenticator
from scoreboard.api.published_keys import PublishedKeys, published_keys
from scoreboard.api.token_rules import ClaimRules
from scoreboard.errors import ConfigurationError, Unauthorized, Unavailable
from scoreboard.settings import Settings
from tests.support.in_between import listening
from tests.support.waiting import PATIENCE, wait_until
from tests.unit.api.signed_tokens import bearing, claims

OLD, NEW = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)
P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, algorithm: str = "RS256", **fields: Any) -> dict[str, Any]:
    """The public key as a login service publishes it."""
    text = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key())
    return {**json.loads(text), **fields}


def token(key: Any, kid: str | None, algorithm: str = "RS256") -> web.Request:
    headers = {} if kid is None else {"kid": kid}
    good = claims(iss=..., aud=...)
    return bearing(f"Bearer {jwt.encode(good, key, algorithm=algorithm, headers=headers)}")


class Source:
    """What a login service answers at its address, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: list[Any] = [jwk(OLD, kid="old")]
        self.answer: dict[str, Any] | None = None
        self.asked = 0
        self.url = ""

    async def serve(self, _: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.answer is not None:
            return web.Response(**self.answer)
        return web.json_response({"keys": self.keys})


@pytest.fixture
async def source(aiohttp_server: Any) -> Source:
    published = Source()
    app = web.Application()
    app.router.add_get("/keys", published.serve)
    server: TestServer = await aiohttp_server(app)
    published.url = f"http://127.0.0.1:{server.port}/keys"
    return published


def reading(source: Source | Path, algorithm: str = "RS256") -> tuple[Authenticator, PublishedKeys]:
    url = source.url if isinstance(source, Source) else str(source)
    published = PublishedKeys(url, algorithm, refresh=300)
    return Authenticator({}, algorithm, ClaimRules(), published=published), published


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)


@pytest.mark.parametrize(
    ("algorithm", "key"), [("RS256", OLD), ("ES256", P256), ("EdDSA", ED25519)]
)
async def test_tokens_are_verified_with_published_keys(
    source: Source, algorithm: str, key: Any
) -> None:
    source.keys = [jwk(key, algorithm, kid="a", use="sig", alg=algorithm, key_ops=["verify"])]
    authenticator, _ = reading(source, algorithm)
    caller = await authenticator.authenticate(token(key, "a", algorithm))
    assert caller.subject == "game-server"
    assert source.asked == 1


async def test_a_token_of_a_new_key_makes_it_look_again_and_one_of_a_withdrawn_key_is_refused(
    source: Source,
) -> None:
    authenticator, _ = reading(source)
    await authenticator.authenticate(token(OLD, "old"))
    source.keys = [jwk(NEW, kid="new")]
    await authenticator.authenticate(token(NEW, "new"))
    assert source.asked == 2
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(token(OLD, "old"))


async def test_a_remembered_token_is_forgotten_with_its_key(source: Source) -> None:
    authenticator, published = reading(source)
    request = token(OLD, "old")
    await authenticator.authenticate(request)
    assert authenticator.principal(request) is not None
    source.keys = [jwk(NEW, kid="old")]
    await published.look_again()
    assert authenticator.principal(request) is None
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(request)


async def test_tokens_that_name_no_key_there_is_make_it_ask_seldom(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 3600.0)
    authenticator, _ = reading(source)
    for n in range(100):
        with pytest.raises(Unauthorized):
            await authenticator.authenticate(token(OLD, f"made-up-{n}"))
    assert source.asked == 1


async def test_many_that_ask_at_once_share_one_read(source: Source) -> None:
    authenticator, _ = reading(source)
    callers = await asyncio.gather(
        *(authenticator.authenticate(token(OLD, "old")) for _ in range(20))
    )
    assert len(callers) == 20
    assert source.asked == 1


BAD_ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    "an error": ({"status": 500}, "answered 500"),
    "a redirect": (
        {"status": 302, "headers": {"Location": "/elsewhere"}},
        "302; redirects",
    ),
    "no JSON": ({"text": "<html>"}, "no JSON Web Key Set"),
    "another JSON": ({"text": "[]"}, "no JSON Web Key Set"),
    "deep JSON": ({"text": '{"keys":[{"a":' + "[" * 100_000}, "no JSON Web Key Set"),
    "no keys": ({"text": '{"keys":[]}'}, "no key for RS256"),
    "many keys": ({"text": json.dumps({"keys": [{"kid": "a"}] * 101})}, "more than 100 keys"),
    "a large body": ({"body": b" " * (module.MAX_BYTES + 1)}, "bytes"),
}


@pytest.mark.parametrize(("answer", "why"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
async def test_the_last_good_keys_stay_while_the_source_gives_nothing_usable(
    source: Source, answer: dict[str, Any], why: str
) -> None:
    authenticator, published = reading(source)
    await authenticator.authenticate(token(OLD, "old"))
    source.answer = answer
    with capture_logs() as lines:
        await published.look_again()
        await published.look_again()
    [line] = [line for line in lines if line["event"] == "keys_not_read"]
    assert why in line["reason"]
    await authenticator.authenticate(token(OLD, "old"))
    with pytest.raises(Unavailable, match="can't be read"):
        await published.state()
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(token(NEW, "new"))

    source.answer = None
    with capture_logs() as lines:
        await published.look_again()
        await published.look_again()
    assert [line["event"] for line in lines] == ["keys_read"], "the end of the trouble, once"
    assert (await published.state())["keys"] == 1


async def test_before_the_first_read_tokens_get_503_and_not_401() -> None:
    published = PublishedKeys("http://127.0.0.1:1/keys", "RS256", refresh=300)
    authenticator = Authenticator({}, "RS256", ClaimRules(), published=published)
    with pytest.raises(Unavailable):
        await authenticator.authenticate(token(OLD, "old"))


RAW_ANSWERS = {
    "garbage": (b"\x00secret\xff" * 1000, "no valid answer"),
    "a broken encoding": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\nsecret",
        "no valid answer",
    ),
    "nothing": (b"", "no valid answer"),
    "silence": (None, "no answer within 0.05 s"),
}


@pytest.mark.parametrize(("sent", "why"), RAW_ANSWERS.values(), ids=RAW_ANSWERS)
async def test_what_is_no_answer_is_told_in_words_without_what_was_sent_or_the_address(
    sent: bytes | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.05 if sent is None else PATIENCE)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if sent is None:
            await reader.read()  # until it is hung up on
        else:
            writer.write(sent)

    async with listening(answer) as port:
        published = PublishedKeys(f"http://127.0.0.1:{port}/?key=1", "RS256", refresh=300)
        with capture_logs() as lines:
            await published.look_again()
    with pytest.raises(Unavailable) as raised:
        await published.state()
    assert raised.value.detail == f"The keys of tokens can't be read: {why}."
    [line] = lines
    assert len(line["cause"]) <= module.LONGEST_CAUSE


async def test_keys_that_do_not_fit_are_skipped_and_named_in_the_log(source: Source) -> None:
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}
    private = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(NEW))
    source.keys = [
        jwk(NEW, kid="enc", use="enc"),
        jwk(NEW, kid="ops", key_ops=["encrypt"]),
        jwk(NEW, kid="alg", alg="PS256"),
        jwk(SMALL, kid="small"),
        jwk(P256, "ES256", kid="curve"),
        {**private, "kid": "private"},
        secret,
        {"kid": "nothing"},
        {"kty": "RSA", "n": 1, "e": [], "kid": "types"},
        jwk(NEW),
        jwk(OLD, kid="old"),
        jwk(NEW, kid="old"),
    ]
    authenticator, published = reading(source)
    with capture_logs() as lines:
        await authenticator.authenticate(token(OLD, "old"))
    [line] = [line for line in lines if line["event"] == "keys_skipped"]
    assert sorted(line["reason_by_place"], key=int) == [str(n) for n in range(10)] + ["11"]
    assert private["d"] not in str(lines)
    assert (await published.state())["keys"] == 1


async def test_a_single_key_needs_no_id(source: Source) -> None:
    source.keys = [jwk(OLD)]
    authenticator, _ = reading(source)
    for kid in (None, "whatever"):
        await authenticator.authenticate(token(OLD, kid))
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(token(NEW, None))


@pytest.mark.parametrize("alone", [True, False])
async def test_a_key_with_an_empty_id_is_not_that_of_all_tokens(
    source: Source, alone: bool
) -> None:
    source.keys = [jwk(NEW, kid="")] + ([] if alone else [jwk(OLD, kid="old")])
    authenticator, _ = reading(source)
    for kid in (None, "", "whatever"):
        with pytest.raises(Unavailable if alone else Unauthorized):
            await authenticator.authenticate(token(NEW, kid))


async def test_configured_keys_go_before_published_ones(source: Source) -> None:
    public = jwt.PyJWK(jwk(NEW), algorithm="RS256").key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    published = PublishedKeys(source.url, "RS256", refresh=300)
    authenticator = Authenticator({"old": pem.decode()}, "RS256", ClaimRules(), published=published)
    await published.look_again()
    await authenticator.authenticate(token(NEW, "old"))
    with pytest.raises(Unauthorized):
        await authenticator.authenticate(token(OLD, "old"))


async def test_a_file_is_read_again_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [jwk(OLD, kid="a")]}))
    published = PublishedKeys(str(path), "RS256", refresh=0.01)
    authenticator = Authenticator({}, "RS256", ClaimRules(), published=published)
    running = asyncio.create_task(published.run())
    await authenticator.authenticate(token(OLD, "a"))
    path.write_text(json.dumps({"keys": [jwk(NEW, kid="a")]}))

    async def renewed() -> bool:
        try:
            await authenticator.authenticate(token(NEW, "a"))
        except Unauthorized:
            return False
        return True

    await wait_until(renewed, description="the new key is in force")
    running.cancel()


@pytest.mark.parametrize(
    ("source", "algorithm", "complaint"),
    [
        ("http://login.example/keys", "RS256", "an https URL"),
        ("https://user:pw@login.example/keys", "RS256", "an https URL"),
        ("ftp://login.example/keys", "RS256", "an https URL"),
        ("https://", "RS256", "an https URL"),
        ("https://[", "RS256", "an https URL"),
        ("/nowhere/keys.json", "RS256", "no file /nowhere/keys.json"),
        ("https://login.example/keys", "HS256", "public keys: set SCOREBOARD_JWT_ALGORITHM"),
    ],
)
def test_a_source_that_is_of_no_use_is_refused_at_start(
    source: str, algorithm: Any, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        published_keys(Settings(jwt_jwks=source, jwt_algorithm=algorithm))


@pytest.mark.parametrize(
    "source", ["https://login.example/keys", "http://127.0.0.1:8080/keys", "http://[::1]/keys"]
)
def test_https_and_this_machine_are_sources(source: str) -> None:
    assert published_keys(Settings(jwt_jwks=source, jwt_algorithm="RS256")) is not None
    assert published_keys(Settings()) is None

"""Signing keys: which are taken at start, and tokens made and verified with each kind."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from aiohttp.test_utils import make_mocked_request
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from scoreboard.api.auth import Authenticator
from scoreboard.api.token_rules import ClaimRules
from scoreboard.api.tokens import keys_from, mint
from scoreboard.errors import ConfigurationError, Unauthorized
from scoreboard.settings import Settings

SECRET = "0123456789abcdef0123456789abcdef"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def private_pem(key: PrivateKey, passphrase: bytes | None = None) -> str:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


def public_pem(key: PrivateKey) -> str:
    return key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]
PAIRS: dict[Algorithm, PrivateKey] = {"RS256": RSA, "ES256": P256, "EdDSA": ED25519}


def configured(keys: object, algorithm: Algorithm = "HS256") -> Settings:
    text = keys if isinstance(keys, str) else json.dumps(keys)
    return Settings(jwt_keys=text, jwt_algorithm=algorithm)


def test_the_first_configured_key_is_the_one_that_signs() -> None:
    keys = keys_from(configured({"new": SECRET, "old": SECRET[::-1]}))
    assert list(keys) == ["new", "old"]


@pytest.mark.parametrize("algorithm", PAIRS)
async def test_a_private_key_signs_what_its_public_key_verifies(algorithm: Algorithm) -> None:
    signing = keys_from(configured({"k": private_pem(PAIRS[algorithm])}, algorithm))
    verifying = keys_from(configured({"k": public_pem(PAIRS[algorithm])}, algorithm))
    text = mint(signing, algorithm, subject="s", scope="score:write", ttl=60, boards=["arena"])
    request = make_mocked_request("GET", "/", headers={"Authorization": f"Bearer {text}"})
    for keys in (signing, verifying):
        caller = await Authenticator(keys, algorithm, ClaimRules()).authenticate(request)
        assert (caller.subject, caller.boards) == ("s", frozenset({"arena"}))


async def test_a_public_key_is_no_hmac_secret_for_a_forger() -> None:
    public = public_pem(RSA)
    forged = mint({"k": SECRET}, "HS256", subject="s", scope="admin", ttl=60)
    request = make_mocked_request("GET", "/", headers={"Authorization": f"Bearer {forged}"})
    with pytest.raises(Unauthorized):
        await Authenticator({"k": public}, "RS256", ClaimRules()).authenticate(request)


def test_a_public_key_alone_can_not_sign() -> None:
    with pytest.raises(ConfigurationError, match="'k' is public"):
        mint({"k": public_pem(RSA)}, "RS256", subject="s", scope="", ttl=60)


@pytest.mark.parametrize(
    ("keys", "algorithm", "reason"),
    [
        ("", "HS256", "is empty"),
        ({}, "HS256", "is empty"),
        (SECRET, "HS256", "JSON object"),
        ([SECRET], "HS256", "JSON object"),
        ({"k": 1}, "HS256", "JSON object"),
        ({"": SECRET}, "HS256", "key id"),
        ({"k" * 65: SECRET}, "HS256", "key id"),
        ({"k\n": SECRET}, "HS256", "key id"),
        ({"k": SECRET[:31]}, "HS256", "at least 32 bytes"),
        ({"good": SECRET, "k": SECRET[:31]}, "HS256", "'k': .* at least 32 bytes"),
        ({"k": public_pem(RSA)}, "HS256", "can't be an HS256 secret"),
        ({"k": private_pem(P256)}, "HS256", "can't be an HS256 secret"),
        ({"k": SECRET}, "RS256", "PEM"),
        ({"k": SECRET}, "EdDSA", "PEM"),
        ({"k": private_pem(RSA, b"passphrase")}, "RS256", "without a passphrase"),
        ({"k": public_pem(P256)}, "RS256", "an RSA key of at least 2048 bits"),
        ({"k": private_pem(SMALL_RSA)}, "RS256", "an RSA key of at least 2048 bits"),
        ({"k": public_pem(P384)}, "ES256", "P-256"),
        ({"k": private_pem(RSA)}, "ES256", "P-256"),
        ({"k": public_pem(P256)}, "EdDSA", "Ed25519"),
    ],
)
def test_keys_that_do_not_fit_are_refused_at_start_without_showing_them(
    keys: object, algorithm: Algorithm, reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refusal:
        keys_from(configured(keys, algorithm))
    assert SECRET[:31] not in refusal.value.detail

"""Signing keys and the making of tokens; ``auth`` verifies them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from scoreboard.api.key_texts import ANY_KEY_ID, key_texts
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings

SCORE_WRITE = "score:write"
SCORE_SUBMIT = "score:submit"
BOARD_READ = "board:read"
ADMIN = "admin"
SCOPES = (SCORE_WRITE, SCORE_SUBMIT, BOARD_READ, ADMIN)

LOCAL_KEY_ID = "local"
MIN_SECRET_BYTES = 32
MIN_RSA_BITS = 2048
MAX_KEY_ID = 64


def keys_from(settings: Settings) -> dict[str, str]:
    """The keys by key id, as configured in one of the forms of ``key_texts``; the first one signs.
    Empty when published keys (``published_keys``) stand in. Raises ConfigurationError when there is
    none at all or one does not fit the algorithm; its text never shows a key."""
    variable = "SCOREBOARD_JWT_KEYS"
    try:
        keys = key_texts(settings.jwt_keys)
    except ValueError as error:
        raise ConfigurationError(f"{variable}: {error}") from None
    if not keys and not settings.jwt_jwks:
        raise ConfigurationError(
            f"{variable} is empty; set it to kid=secret, for example "
            '"2026-11=$(openssl rand -hex 32)", or SCOREBOARD_JWT_JWKS to what your login service '
            "publishes. `scoreboard up` makes a key by itself."
        )
    for key_id, key in keys.items():
        alone = key_id == ANY_KEY_ID and len(keys) == 1 and key.startswith("-----BEGIN")
        if not alone and not (1 <= len(key_id) <= MAX_KEY_ID and _is_printable(key_id)):
            raise ConfigurationError(
                f"{variable}: a key id must have 1 to {MAX_KEY_ID} printable ASCII characters"
            )
        try:
            verification_key(key, settings.jwt_algorithm)
        except ValueError as error:
            raise ConfigurationError(f"{variable}: key {key_id!r}: {error}") from None
    return keys


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def local_keys(secret: str) -> dict[str, str]:
    """The key set for the secret that ``scoreboard up`` keeps in its data directory."""
    return {LOCAL_KEY_ID: secret}


def verification_key(key: str, algorithm: str) -> str:
    """The key that checks signatures: the secret itself, or the PEM of the public key (derived when
    ``key`` is a private one). Raises ValueError saying why ``key`` does not fit ``algorithm``."""
    if algorithm == "HS256":
        return _checked_secret(key)
    return _public_key(key, algorithm)


def _checked_secret(secret: str) -> str:
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(
            f"an HS256 secret needs at least {MIN_SECRET_BYTES} bytes (try `openssl rand -hex 32`)"
        )
    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(secret)
    except jwt.InvalidKeyError:
        raise ValueError("a public or private key can't be an HS256 secret") from None
    return secret


def _public_key(pem: str, algorithm: str) -> str:
    try:
        if "PRIVATE KEY-----" in pem:
            public = load_pem_private_key(pem.encode(), password=None).public_key()
        else:
            public = load_pem_public_key(pem.encode())
    except (ValueError, TypeError):  # TypeError: the key has a passphrase
        raise ValueError(f"{algorithm} needs a PEM key without a passphrase") from None
    fits = {
        "RS256": isinstance(public, RSAPublicKey) and public.key_size >= MIN_RSA_BITS,
        "ES256": isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1),
        "EdDSA": isinstance(public, Ed25519PublicKey),
    }
    if not fits[algorithm]:
        wanted = {
            "RS256": f"an RSA key of at least {MIN_RSA_BITS} bits",
            "ES256": "a key on the curve P-256",
            "EdDSA": "an Ed25519 key",
        }
        raise ValueError(f"{algorithm} needs {wanted[algorithm]}")
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def mint(
    keys: Mapping[str, str],
    algorithm: str,
    *,
    subject: str,
    scope: str,
    ttl: int,
    boards: Iterable[str] | None = None,
    issuer: str = "",
    audience: str = "",
    now: float | None = None,
) -> str:
    """A token for ``subject`` with an id of its own, signed with the first key, good for ``ttl``
    seconds from ``now`` (Unix seconds; default: the clock) on ``boards`` (default: all). Raises
    ConfigurationError when the first key can only verify, or there is none."""
    if not keys:
        raise ConfigurationError("SCOREBOARD_JWT_KEYS holds no key to sign with")
    key_id, key = next(iter(keys.items()))
    if algorithm != "HS256" and "PRIVATE KEY-----" not in key:
        raise ConfigurationError(f"key {key_id!r} is public: it can verify tokens, not sign them")
    issued = int(time.time() if now is None else now)
    claims: dict[str, Any] = {
        "sub": subject,
        "scope": scope,
        "exp": issued + ttl,
        "iat": issued,
        "jti": secrets.token_urlsafe(12),
    }
    if boards is not None:
        claims["boards"] = list(boards)
    if issuer:
        claims["iss"] = issuer
    if audience:
        claims["aud"] = audience
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": key_id} if key_id else None)


def identity_of(token: str) -> tuple[str | None, float | None]:
    """The ``jti`` and the ``exp`` (Unix seconds) in a token, whoever signed it. Raises ValueError
    for text that is no token."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise ValueError(str(error)) from None
    jti, exp = claims.get("jti"), claims.get("exp")
    return (
        jti if isinstance(jti, str) and jti else None,
        float(exp) if isinstance(exp, int | float) else None,
    )

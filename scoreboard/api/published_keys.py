"""Keys that a login service publishes as a JSON Web Key Set (RFC 7517), at an https URL or in a
file: read at the start, from time to time, and when a token names a key that is not there.

Sizes, times and rates are bounded. While the source is away or unusable, the last good set stays.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
import msgspec
import structlog
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from scoreboard.api.key_texts import ANY_KEY_ID
from scoreboard.api.tokens import verification_key
from scoreboard.domain.web_names import is_safe_url
from scoreboard.errors import ConfigurationError, Unavailable
from scoreboard.settings import Settings

log = structlog.get_logger(__name__)

MAX_BYTES = 256 * 1024
MAX_KEYS = 100
MAX_KEY_ID = 256  # characters
ACCEPT = {"Accept": "application/jwk-set+json, application/json"}
TIMEOUT = 5.0  # seconds for one read
LONGEST_CAUSE = 300  # characters of an error in the log, which may quote what was sent
PAUSE = 10.0  # least seconds between two reads, whoever asks for them

Use = Callable[[Mapping[str, str]], None]


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


_key_set = msgspec.json.Decoder(_KeySet)


class _Unusable(Exception):
    """The source gave no key set; the text says why."""


class PublishedKeys:
    """The keys of ``source``, an https URL or a file's path, that fit ``algorithm``. ``refresh`` is
    how many seconds pass between two reads. ``use`` is called with the keys, PEM texts by key id,
    whenever they have changed; set it before anything else."""

    use: Use

    def __init__(self, source: str, algorithm: str, *, refresh: float) -> None:
        self._source = source
        self._algorithm = algorithm
        self._refresh = refresh
        self._keys: dict[str, str] = {}
        self._reading: asyncio.Task[None] | None = None
        self._read_at = float("-inf")  # begin of the latest read, loop time
        self._good_at: float | None = None  # latest good read, loop time
        self._trouble = ""

    @property
    def known(self) -> bool:
        """True once the keys were read."""
        return self._good_at is not None

    async def run(self) -> None:
        """Reads until cancelled."""
        while True:
            await self._read()
            await asyncio.sleep(min(PAUSE, self._refresh) if self._trouble else self._refresh)

    async def look_again(self) -> None:
        """Reads once more, for a token whose key is not known, but not within ten seconds after the
        latest read. Callers share one read."""
        due = asyncio.get_running_loop().time() >= self._read_at + PAUSE
        if self._reading is not None or due:
            await self._read()

    async def state(self) -> Mapping[str, Any]:
        """For /readyz. Raises Unavailable when the latest read failed."""
        if self._trouble or self._good_at is None:
            raise Unavailable(self._trouble or "The keys were not read yet.")
        age = asyncio.get_running_loop().time() - self._good_at
        return {"keys": len(self._keys), "ageSeconds": round(age, 1)}

    async def _read(self) -> None:
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_once())
            self._reading.add_done_callback(self._ended)
        await asyncio.shield(self._reading)

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._reading = None

    async def _read_once(self) -> None:
        loop = asyncio.get_running_loop()
        self._read_at = loop.time()
        try:
            async with asyncio.timeout(TIMEOUT):
                text = await (_fetch if "://" in self._source else _read_file)(self._source)
            keys = self._usable(text)
        except (_Unusable, ClientError, OSError, TimeoutError, ValueError) as error:
            trouble = f"The keys of tokens can't be read: {_why(error)}."
            if trouble != self._trouble:
                log.warning(
                    "keys_not_read",
                    source=self._source,
                    reason=trouble,
                    cause=repr(error)[:LONGEST_CAUSE],
                    kept=len(self._keys),
                )
            self._trouble = trouble
            return
        if keys != self._keys or self._trouble:
            log.info("keys_read", source=self._source, keys=list(keys))
        self._trouble, self._good_at = "", loop.time()
        if keys != self._keys:
            self._keys = keys
            self.use(keys)

    def _usable(self, text: bytes) -> dict[str, str]:
        """Raises _Unusable when no key fits."""
        try:
            found = _key_set.decode(text).keys
        except (msgspec.DecodeError, RecursionError):
            raise _Unusable("no JSON Web Key Set") from None
        if len(found) > MAX_KEYS:
            raise _Unusable(f"more than {MAX_KEYS} keys")
        keys: dict[str, str] = {}
        skipped: dict[str, str] = {}
        for place, key in enumerate(found):
            key_id = key.get("kid", ANY_KEY_ID if len(found) == 1 else None)
            try:
                if key.get("kid") == "":  # which would make it the key of any token
                    raise ValueError("an empty kid")
                if not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID:
                    raise ValueError(f"no kid of up to {MAX_KEY_ID} characters")
                if key_id in keys:
                    raise ValueError("the kid of an earlier key")
                keys[key_id] = _pem(key, self._algorithm)
            except ValueError as error:
                skipped[str(place)] = str(error)
        if skipped and keys != self._keys:
            log.info("keys_skipped", source=self._source, reason_by_place=skipped)
        if not keys:
            raise _Unusable(f"no key for {self._algorithm} among {len(found)}")
        return keys


def _why(error: Exception) -> str:
    """For everybody, as /readyz shows it: nothing of the source's address, or of what it sent."""
    match error:
        case _Unusable():
            return str(error)
        case TimeoutError():
            return f"no answer within {TIMEOUT:g} s"
        case ClientSSLError():
            return "no trusted connection (TLS)"
        case ClientConnectorError():
            return "no connection"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return "no valid answer"


def published_keys(settings: Settings) -> PublishedKeys | None:
    """The keys that the settings name; None when they name none. Raises ConfigurationError."""
    source = settings.jwt_jwks
    if not source:
        return None
    variable = "SCOREBOARD_JWT_JWKS"
    if settings.jwt_algorithm == "HS256":
        raise ConfigurationError(
            f"{variable} holds public keys: set SCOREBOARD_JWT_ALGORITHM to RS256, ES256 or EdDSA"
        )
    if "://" not in source:
        if not Path(source).is_file():
            raise ConfigurationError(f"{variable}: there is no file {source}")
    elif not is_safe_url(source):
        raise ConfigurationError(f"{variable} is an https URL without a password, or a file")
    return PublishedKeys(source, settings.jwt_algorithm, refresh=settings.jwt_jwks_refresh)


async def _fetch(url: str) -> bytes:
    """Follows no redirect, which could lead anywhere."""
    async with (
        ClientSession(timeout=ClientTimeout(total=TIMEOUT), headers=ACCEPT) as session,
        session.get(url, allow_redirects=False, ssl=ssl.create_default_context()) as response,
    ):
        if 300 <= response.status < 400:
            raise _Unusable(f"the source answered {response.status}; redirects are not followed")
        if response.status != 200:
            raise _Unusable(f"the source answered {response.status}")
        text = b""
        async for chunk in response.content.iter_chunked(64 * 1024):
            text += chunk
            if len(text) > MAX_BYTES:
                raise _Unusable(f"more than {MAX_BYTES} bytes")
        return text


async def _read_file(path: str) -> bytes:
    def read() -> bytes:
        if not Path(path).is_file():  # a pipe by now, which might be waited for without end
            raise _Unusable("there is no such file")
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)

    text = await asyncio.to_thread(read)
    if len(text) > MAX_BYTES:
        raise _Unusable(f"more than {MAX_BYTES} bytes")
    return text


def _pem(key: dict[str, Any], algorithm: str) -> str:
    """The PEM of a published key. Raises ValueError saying why it does not fit; the text shows
    nothing of the key."""
    if key.get("use", "sig") != "sig":
        raise ValueError("not for signatures (use)")
    operations = key.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("not for verifying (key_ops)")
    if key.get("alg", algorithm) != algorithm:
        raise ValueError(f"not for {algorithm} (alg)")
    if "d" in key or key.get("kty") == "oct":
        raise ValueError("a private key or a secret, which is not to be published")
    try:
        public = jwt.PyJWK(key, algorithm=algorithm).key
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
        raise ValueError(f"no {algorithm} key") from None
    return verification_key(pem, algorithm)

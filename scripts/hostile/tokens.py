"""Tokens that must not be taken: forged, spoiled and strange ones."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import aiohttp

from scripts.hostile.ground import HANG, Ground

REFUSED = (400, 401, 431)
_ODD = [None, True, -1, 0, 1e300, 2**70, "", "x", [], {}, ["x"], {"x": 1}]


def _part(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _forged(good: str) -> Iterator[str]:
    """Tokens that somebody without the key can make."""
    header, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    algorithms: list[Any] = ["none", "None", "HS384", "RS256", "", None, 1]
    for algorithm in algorithms:
        strange = _part({"alg": algorithm, "typ": "JWT", "kid": "local"})
        yield from (f"{strange}.{payload}.{signature}", f"{strange}.{payload}.")
    for name in ("crit", "jwk", "jku", "x5u", "x5c", "zip", "b64"):
        yield f"{_part({'alg': 'HS256', 'kid': 'local', name: ['x']})}.{payload}.{signature}"
    for name in ("sub", "exp", "nbf", "iat", "scope", "boards", "aud", "iss", "jti"):
        for value in _ODD:
            yield f"{header}.{_part(claims | {name: value})}.{signature}"
    deep = "[" * 50_000 + "]" * 50_000
    yield from (f"{_part(deep)}.{payload}.{signature}", f"{header}.{_part(deep)}.{signature}")
    yield from ("a", "a.b", "a.b.c", "a.b.c.d", "..", "", "é.é.é", "A" * 4000, "A" * 100_000)
    yield from (f" {good}x", good + ".x", good[:-2], f"{header}..{signature}")


def _mutated(good: str, ground: Ground) -> str:
    """The token with one character changed, so that its bytes change."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    while True:
        at = ground.rng.randrange(len(good) - 1)
        if good[at] == ".":
            continue
        text = good[:at] + ground.rng.choice(alphabet) + good[at + 1 :]
        if [base64.urlsafe_b64decode(p + "==") for p in text.split(".")] != [
            base64.urlsafe_b64decode(p + "==") for p in good.split(".")
        ]:
            return text


async def tokens(ground: Ground) -> str:
    """Offers each to a call that needs a token; every one must be refused, alike."""
    good, tried = ground.target.token, 0
    url = f"{ground.target.url}/api/score"
    body = {"userId": "mallory", "actionId": "forged", "points": 1}
    end = time.monotonic() + ground.seconds
    forged = _forged(good)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HANG)) as session:
        while time.monotonic() < end:
            token = next(forged, None) or _mutated(good, ground)
            tried += 1
            try:
                headers = {"Authorization": f"Bearer {token}"}
                async with session.post(url, json=body, headers=headers) as answer:
                    ground.judge("a forged token", answer.status)
                    if answer.status not in REFUSED:
                        ground.find(f"a forged token was answered {answer.status}: {token[:200]}")
            except TimeoutError:
                ground.find("a forged token was not answered")
            except (aiohttp.ClientError, ValueError):
                pass  # what this client can't send, or a connection that was closed on it
    return f"{tried} forged tokens"

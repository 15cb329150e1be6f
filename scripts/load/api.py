"""The service's API for a program that directs a load or asks afterwards: convenient, not fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import aiohttp
import msgspec

from scripts.load import requests
from scripts.load.replies import Reply, replies
from scripts.load.target import Target

TIMEOUT = 10.0
LOOKUP = 500  # users in a call of users:lookup


class ApiError(Exception):
    """The server did not answer as it has to; the text says what it was asked and how it did."""


class NoAnswer(ApiError):
    """``sent``: the call may have arrived. False when the connection was refused."""

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


class _Response(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]


class Api:
    """Calls to one server; used as a context that closes the connections. ``timeout`` is that of a
    call in seconds."""

    def __init__(self, target: Target, timeout: float = TIMEOUT) -> None:
        self._target = target
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Api:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            headers={"Authorization": f"Bearer {self._target.token}"},
            timeout=self._timeout,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def submit(
        self, board: str, actions: Sequence[bytes], durability: str | None = None
    ) -> list[Reply]:
        """Submit one action or a batch; the reply to each, with the durability that was applied.
        Raises NoAnswer."""
        batch = len(actions) > 1
        response = await self._send(
            "POST",
            f"/api/boards/{board}/{'scores' if batch else 'score'}",
            requests.batch(actions) if batch else actions[0],
            {} if durability is None else {"Prefer": f"durability={durability}"},
        )
        applied = response.headers.get("Preference-Applied", "").partition("=")[2]
        return [
            reply if reply.durability else msgspec.structs.replace(reply, durability=applied)
            for reply in replies(response.status, response.body, len(actions), batch=batch)
        ]

    async def top(self, board: str) -> tuple[int, str]:
        """The version and the top 10 as compact JSON text. Raises ApiError."""
        response, decoded = await self._asked("GET", f"/api/boards/{board}/top")
        version = response.headers.get("ETag", "").strip('"')
        if not version.isdigit():
            raise ApiError(f"the top 10 of {board} came without its version")
        return int(version), msgspec.json.encode(decoded["topScores"]).decode()

    async def scores(self, board: str, users: Sequence[str]) -> dict[str, int]:
        """The total of each of ``users`` that is on the board. Raises ApiError."""
        found: dict[str, int] = {}
        for start in range(0, len(users), LOOKUP):
            some = {"userIds": users[start : start + LOOKUP]}
            _, decoded = await self._asked(
                "POST", f"/api/boards/{board}/users:lookup", msgspec.json.encode(some)
            )
            found.update((row["userId"], row["score"]) for row in decoded["users"])
        return found

    async def alive(self) -> None:
        """Return when the server answers at all. Raises NoAnswer."""
        await self._send("GET", "/healthz")

    async def backlog(self) -> int | None:
        """Events that are not in Postgres yet; None when the server doesn't say. Raises
        ApiError."""
        response = await self._send("GET", "/readyz")
        try:
            return int(_decoded("/readyz", response)["parts"]["redis"]["backlog"])
        except (TypeError, KeyError, ValueError):
            return None

    async def _asked(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[_Response, Any]:
        """The answer of a call that has to succeed, and its JSON. Raises ApiError."""
        response = await self._send(method, path, body)
        decoded = _decoded(path, response)
        if response.status != 200:
            said = decoded.get("detail", decoded) if isinstance(decoded, dict) else decoded
            raise ApiError(f"{method} {path} was answered {response.status}: {said}")
        return response, decoded

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Response:
        assert self._session is not None
        sent = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._session.request(
                method, f"{self._target.url}{path}", data=body, headers={**sent, **(headers or {})}
            ) as response:
                return _Response(response.status, await response.read(), response.headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswer(
                f"{method} {path}: {error or type(error).__name__}",
                # Only a refused connection tells that nothing was sent.
                sent=not isinstance(error, aiohttp.ClientConnectorError),
            ) from error


def _decoded(path: str, response: _Response) -> Any:
    try:
        return msgspec.json.decode(response.body or b"null")
    except msgspec.DecodeError as error:
        raise ApiError(f"{path} was answered {response.status} without JSON: {error}") from error

"""Calls of the API: addresses, tokens, time limits, and answers read as JSON or as errors."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from scoreboard_client.clocks import Clock, by
from scoreboard_client.errors import TryLater, bad_answer, error_of, no_answer
from scoreboard_client.transport import Response, Transport, seconds_of

TokenProvider = Callable[[], str | Awaitable[str]]
Query = Mapping[str, str | int | Sequence[str] | None]


class Tokens:
    """The token in use. The provider is asked for the first one, and for another after each that
    the service refused."""

    def __init__(self, provider: TokenProvider | None) -> None:
        self._provider = provider
        self._token: str | None = None
        self._asking = asyncio.Lock()

    @property
    def given(self) -> bool:
        """Whether there is a provider."""
        return self._provider is not None

    async def get(self) -> str | None:
        """The token, None where there is no provider. Raises TryLater."""
        if self._provider is None:
            return None
        async with self._asking:
            if self._token is None:
                try:
                    token = self._provider()
                    token = await token if inspect.isawaitable(token) else token
                except Exception as error:
                    raise TryLater("no_token", f"the token provider failed: {error!r}") from error
                if not token or not isinstance(token, str):
                    raise TryLater("no_token", "the token provider gave none")
                self._token = token
            return self._token

    def refuse(self, token: str | None) -> None:
        """The service did not take ``token``: another is asked for next."""
        if token == self._token:
            self._token = None


class Calls:
    """``timeout`` is how many seconds an answer may take."""

    def __init__(
        self, url: str, tokens: Tokens, transport: Transport, clock: Clock, timeout: float
    ) -> None:
        self._url = url.rstrip("/")
        self._tokens = tokens
        self._transport = transport
        self._clock = clock
        self._timeout = timeout

    async def call(
        self, method: str, path: str, body: Any = None, query: Query | None = None
    ) -> Any:
        """The JSON of the answer. A token that is refused is replaced once. Raises Refused,
        TryLater."""
        for renewed in (False, True):
            token = await self._tokens.get()
            response = await self._request(method, address(self._url, path, query), token, body)
            if response.status != 401 or token is None:
                break
            self._tokens.refuse(token)
            if renewed:
                break
        return _read(response)

    async def _request(self, method: str, url: str, token: str | None, body: Any) -> Response:
        headers = {"Accept": "application/json"}
        data = None
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, separators=(",", ":")).encode()
        request = self._transport.request(method, url, headers, data)
        try:
            return await by(self._clock, self._clock.now() + self._timeout, request)
        except TimeoutError as error:
            raise no_answer(f"none within {self._timeout:g} s") from error
        except Exception as error:  # one of the transport's own, too: no action may be lost by it
            raise no_answer(str(error) or type(error).__name__) from error


def address(url: str, path: str, query: Query | None) -> str:
    """The whole URL; what is None is left out of the query, and a list repeats its name."""
    given = {name: value for name, value in (query or {}).items() if value is not None}
    text = urlencode(given, doseq=True)
    return f"{url}{path}" + (f"?{text}" if text else "")


def moment(at: datetime | str | None) -> str | None:
    """``at`` as the API takes it; a text is one already. Without a time zone it is of UTC."""
    return at.isoformat() if isinstance(at, datetime) else at


def segment(text: str) -> str:
    """``text`` as one part of a path."""
    return quote(text, safe="")


def _read(response: Response) -> Any:
    retry_after = seconds_of(response.headers.get("retry-after"))
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise bad_answer(f"HTTP {response.status}", response.status, retry_after) from error
    if 200 <= response.status < 300:
        return document
    raise error_of(response.status, document, retry_after)

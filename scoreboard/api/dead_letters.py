"""What could not be written to Postgres: a look at it, and another attempt."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import MODERATION, Bodies, decode
from scoreboard.api.parameters import number
from scoreboard.api.ports import DeadLetterReader, DeadLetterRetrier
from scoreboard.api.principals import Principal
from scoreboard.api.written import for_caller
from scoreboard.errors import Forbidden

DEFAULT_LETTERS = 20
MAX_LETTERS = 200
PATIENCE = 10.0  # seconds in which attempts are begun

_Name = Annotated[str, Meta(pattern=r"^[0-9]{1,5}:[0-9]{1,20}-[0-9]{1,20}$(?!\n)")]


class DeadEntry(msgspec.Struct, frozen=True):
    """An entry of the stream that could not be written, by the name by which ``scoreboard dead``
    knows it."""

    name: str
    created: datetime
    error: str


class DeadEntries(msgspec.Struct, frozen=True):
    """The oldest first; ``more`` when there are others."""

    letters: list[DeadEntry]
    more: bool


class RetriedEntries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries are tried again; null: the oldest 200. Names of entries that could be written
    meanwhile do no harm."""

    names: Annotated[list[_Name], Meta(min_length=1, max_length=MAX_LETTERS)] | None = None


class RetriedEntry(msgspec.Struct, frozen=True):
    """What became of an entry: null for ``error`` when it is written, else what keeps it out."""

    name: str
    error: str | None


class RetryResult(msgspec.Struct, frozen=True):
    """The entries that were tried; ``more`` when there was no time for all, or there are others:
    the same call goes on with them."""

    results: list[RetriedEntry]
    more: bool


class DeadLetterHandlers:
    """The calls about entries that could not be written."""

    def __init__(
        self,
        letters: DeadLetterReader,
        retrier: DeadLetterRetrier,
        authenticator: Authenticator,
        bodies: Bodies,
    ) -> None:
        self._letters = letters
        self._retrier = retrier
        self._authenticator = authenticator
        self._bodies = bodies
        self._which = msgspec.json.Decoder(RetriedEntries)

    async def list(self, request: web.Request) -> web.Response:
        """What could not be written."""
        await self._administrator(request)
        limit = number(
            request.query.get("limit", str(DEFAULT_LETTERS)), "limit", least=1, most=MAX_LETTERS
        )
        found = await self._letters.list(None, limit + 1)
        letters = [DeadEntry(one.name, one.created, one.error) for one in found[:limit]]
        return for_caller(DeadEntries(letters, len(found) > limit))

    async def retry(self, request: web.Request) -> web.Response:
        """Tries to write entries again, one by one."""
        principal = await self._administrator(request)
        which = RetriedEntries()
        if request.can_read_body:
            which = decode(self._which, await self._bodies.read(request, most=MODERATION))
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        left = await self._letters.list(which.names, MAX_LETTERS + 1)
        results: list[RetriedEntry] = []
        for letter in left[:MAX_LETTERS]:
            if loop.time() >= until:
                break
            error = await self._retrier.retry(letter, by=principal.subject)
            results.append(RetriedEntry(letter.name, error))
        return for_caller(RetryResult(results, len(results) < len(left)))

    async def _administrator(self, request: web.Request) -> Principal:
        principal = await self._authenticator.administrator(request)
        if principal.boards is not None:
            raise Forbidden("A token for some boards only can't see dead letters.")
        return principal

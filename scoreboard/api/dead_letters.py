"""What could not be written to Postgres: a look at it, and another attempt."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from scoreboard.api.auth import Authenticator
from scoreboard.api.bodies import MODERATION, Bodies, decode
from scoreboard.api.operations import Parameter
from scoreboard.api.parameters import number
from scoreboard.api.ports import DeadLetterReader, DeadLetterRetrier
from scoreboard.api.principals import Principal
from scoreboard.api.written import for_caller
from scoreboard.domain.ledger import DeadLetter, DeadPlace
from scoreboard.errors import Forbidden, InvalidRequest

DEFAULT_LETTERS = 20
MAX_LETTERS = 200
PATIENCE = 10.0  # seconds in which attempts are begun

_CURSOR = "[0-9]{1,17}:[0-9]{1,5}:[0-9]{1,20}-[0-9]{1,20}"
LETTERS_CURSOR = Parameter(
    "cursor", "query", {"type": "string", "pattern": f"^{_CURSOR}$"}, "next of the page before"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_Cursor = Annotated[str, Meta(pattern=rf"^{_CURSOR}$(?!\n)")]
_Name = Annotated[str, Meta(pattern=r"^[0-9]{1,5}:[0-9]{1,20}-[0-9]{1,20}$(?!\n)")]


class DeadEntry(msgspec.Struct, frozen=True):
    """An entry of the stream that could not be written, by the name by which ``scoreboard dead``
    knows it."""

    name: str
    created: datetime
    error: str


class DeadEntries(msgspec.Struct, frozen=True):
    """The oldest first; ``more`` when there are others, to which ``next`` is the cursor."""

    letters: list[DeadEntry]
    more: bool
    next: str | None


class RetriedEntries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries are tried again; null: the oldest 200, or those behind ``cursor``. Names of
    entries that could be written meanwhile do no harm."""

    names: Annotated[list[_Name], Meta(min_length=1, max_length=MAX_LETTERS)] | None = None
    cursor: _Cursor | None = None


class RetriedEntry(msgspec.Struct, frozen=True):
    """What became of an entry: null for ``error`` when it is written, else what keeps it out."""

    name: str
    error: str | None


class RetryResult(msgspec.Struct, frozen=True):
    """The entries that were tried; ``more`` when there was no time for all, or there are others.
    The same call with ``next`` as its cursor goes on with these, past what stayed."""

    results: list[RetriedEntry]
    more: bool
    next: str | None


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
        cursor = request.query.get(LETTERS_CURSOR.name)
        if cursor is not None and not re.fullmatch(_CURSOR, cursor):
            raise InvalidRequest("cursor is the next of a page.", path=LETTERS_CURSOR.name)
        found = await self._letters.list(None, limit + 1, after=_place(cursor))
        letters = [DeadEntry(one.name, one.created, one.error) for one in found[:limit]]
        more = len(found) > limit
        return for_caller(DeadEntries(letters, more, _cursor(found[limit - 1]) if more else None))

    async def retry(self, request: web.Request) -> web.Response:
        """Tries to write entries again, one by one."""
        principal = await self._administrator(request)
        which = RetriedEntries()
        if request.can_read_body:
            which = decode(self._which, await self._bodies.read(request, most=MODERATION))
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        left = await self._letters.list(which.names, MAX_LETTERS + 1, after=_place(which.cursor))
        results: list[RetriedEntry] = []
        following = which.cursor
        for letter in left[:MAX_LETTERS]:
            if loop.time() >= until:
                break
            error = await self._retrier.retry(letter, by=principal.subject)
            results.append(RetriedEntry(letter.name, error))
            following = _cursor(letter)
        more = len(results) < len(left)
        return for_caller(RetryResult(results, more, following if more else None))

    async def _administrator(self, request: web.Request) -> Principal:
        principal = await self._authenticator.administrator(request)
        if principal.boards is not None:
            raise Forbidden("A token for some boards only can't see dead letters.")
        return principal


def _cursor(letter: DeadLetter) -> str:
    """A cursor to the letters behind this one, good even after this one is gone."""
    created, partition, event = letter.place
    return f"{(created - _EPOCH) // _MICROSECOND}:{partition}:{event}"


def _place(cursor: str | None) -> DeadPlace | None:
    if cursor is None:
        return None
    created, partition, event = cursor.split(":")
    return DeadPlace(_EPOCH + int(created) * _MICROSECOND, int(partition), event)

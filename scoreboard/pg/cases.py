"""The ledger's actions as the anomaly agents see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.actions import ActionContext
from scoreboard.domain.judging import Case
from scoreboard.pg.connection import chunks_of
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("cases")
_context = msgspec.json.Decoder(ActionContext)

RECENT = 200  # actions of a user that a lost memory is made of: a few sessions
MOST = 1_000_000  # actions to train on
CHUNK = 5_000


class LedgerCases:
    """Accepted actions that were not taken back. Every method raises Unavailable when Postgres is
    away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def recent(self, board: str, users: Sequence[str]) -> Mapping[str, Sequence[Case]]:
        """The latest actions of each user, oldest first; users without any are left out."""
        with translated():
            rows = await self._pool.fetch(_sql["recent"], board, list(users), RECENT)
        found: defaultdict[str, list[Case]] = defaultdict(list)
        for row in rows:
            found[row["user_id"]].append(_case(*row))
        return found

    async def decided(self, board: str, since_ms: int) -> list[tuple[Case, str]]:
        """The board's latest 1,000,000 attempts, in the order of their own time, each with what it
        is worth as an example: ``counted``, ``approved`` or ``confirmed`` by a person, or
        ``undecided``."""
        with translated():
            rows = await self._pool.fetch(_sql["decided"], board, since_ms, MOST)
        return [(_case(*row[:5]), row["verdict"]) for row in rows]

    async def training(self, board: str | None, since_ms: int) -> AsyncIterator[list[Case]]:
        """The latest 1,000,000 actions of a board, or of all boards (None), in chunks and in the
        order of the actions' own time."""
        with translated():
            async with self._pool.acquire() as connection:
                query = _sql["training"]
                async for chunk in chunks_of(connection, query, board, since_ms, MOST, size=CHUNK):
                    yield [_case(*row) for row in chunk]


def _case(user: str, points: int, at_ms: int, event_ms: int, context: Any) -> Case:
    """Takes the event's time for the time of receipt, which is not kept: the event follows within
    moments."""
    return Case(
        user, points, at_ms, event_ms, None if context is None else _context.decode(context)
    )

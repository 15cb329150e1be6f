"""What a rebuild reads and writes in Postgres, on a connection that holds the partition's lock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from scoreboard.domain.ledger import LATE_DUPLICATE, BoardRecord, EventId, KeptAction, UserTotal
from scoreboard.pg.pool import translated
from scoreboard.pg.sql import statements

_sql = statements("recovery")
CHUNK = 5_000


class BoardSource:
    """Boards of one partition as the ledger knows them. Every method raises Unavailable when
    Postgres is away."""

    def __init__(self, connection: Any, partition: int) -> None:
        self._connection = connection
        self._partition = partition

    async def record(self, board: str) -> BoardRecord | None:
        """The board's row, or None when there is no such board."""
        with translated():
            row = await self._connection.fetchrow(_sql["board"], board, self._partition)
        if row is None:
            return None
        return BoardRecord(
            row["settings"],
            row["version"],
            EventId(row["event_ms"], row["event_seq"]),
            EventId(row["partition_ms"], row["partition_seq"]),
            row["has_users"],
        )

    async def create(self, board: str, settings: str) -> None:
        """Makes the board, with the text of its settings."""
        with translated():
            await self._connection.execute(_sql["create_board"], board, self._partition, settings)

    async def raise_version(self, board: str, version: int) -> None:
        """The board's version is at least ``version`` from now on."""
        with translated():
            await self._connection.execute(_sql["raise_version"], board, version)

    async def has_lost_reverts(self, board: str) -> bool:
        """True when late duplicates of the board were never taken back in Redis. Only after the
        partition's stream has been drained."""
        with translated():
            return bool(await self._connection.fetchval(_sql["has_lost_reverts"], board))

    async def settle(self, board: str) -> None:
        """Takes these late duplicates out of the totals."""
        with translated():
            await self._connection.execute(_sql["settle"], board, LATE_DUPLICATE)

    async def correct(self, board: str) -> None:
        """Makes every total the sum of the user's accepted, unreverted actions."""
        with translated():
            await self._connection.execute(_sql["correct"], board)

    async def totals(self, board: str) -> AsyncIterator[list[UserTotal]]:
        """All users of the board in chunks."""
        async for chunk in self._chunks(_sql["totals"], board):
            yield [UserTotal(*row) for row in chunk]

    async def changed_totals(self, board: str, since: EventId) -> AsyncIterator[list[UserTotal]]:
        """The users whose latest event is beyond ``since``."""
        async for chunk in self._chunks(_sql["changed_totals"], board, *since):
            yield [UserTotal(*row) for row in chunk]

    async def hidden_totals(self, board: str, users: list[str]) -> AsyncIterator[list[UserTotal]]:
        """The users who are hidden, and those listed."""
        async for chunk in self._chunks(_sql["hidden_totals"], board, users):
            yield [UserTotal(*row) for row in chunk]

    async def receipts(self, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
        """The actions whose latest event is beyond ``since``, in chunks."""
        async for chunk in self._chunks(_sql["receipts"], board, *since):
            yield [kept_action(*row) for row in chunk]

    async def _chunks(self, query: str, *args: Any) -> AsyncIterator[list[Any]]:
        """The rows of a query through a server-side cursor, which needs a transaction."""
        with translated():
            async with self._connection.transaction():
                cursor = await self._connection.cursor(query, *args)
                while chunk := await cursor.fetch(CHUNK):
                    yield chunk


def kept_action(
    user: str,
    action: str,
    kept: str,
    points: int,
    score: int | None,
    attempt: str,
    event_ms: int,
    event_seq: int,
    agents: list[str] | None,
) -> KeptAction:
    """A row of the view kept_action."""
    event = EventId(event_ms, event_seq)
    return KeptAction(user, action, kept, points, score, attempt, event, tuple(agents or ()))

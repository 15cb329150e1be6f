"""A rebuild's reads and writes in Postgres, on a connection that holds the partition's lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from scoreboard.domain.ledger import LATE_DUPLICATE, BoardRecord, EventId, KeptAction, UserTotal
from scoreboard.pg.pool import translated
from scoreboard.pg.sql import statements

_sql = statements("board_source")
CHUNK = 5_000
SILENCE = 30.0  # seconds for an answer that Postgres can give at once
STATEMENT_PATIENCE = 600.0  # seconds for an answer that needs a pass over a large board


class BoardSource:
    """Boards of one partition as the ledger knows them. Every method raises Unavailable when
    Postgres is away or does not answer for SILENCE seconds, or for STATEMENT_PATIENCE seconds where
    a statement goes through a whole board before its first row."""

    def __init__(self, connection: Any, partition: int) -> None:
        self._connection = connection
        self._partition = partition

    async def record(self, board: str) -> BoardRecord | None:
        """The board's row, or None when there is no such board."""
        row = await self._run(self._connection.fetchrow, "board", board, self._partition)
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
        """Creates the board, with the text of its settings."""
        await self._run(self._connection.execute, "create_board", board, self._partition, settings)

    async def raise_version(self, board: str, version: int) -> None:
        """Raises the board's version to at least ``version``."""
        await self._run(self._connection.execute, "raise_version", board, version)

    async def has_lost_reverts(self, board: str) -> bool:
        """True when late duplicates of the board were never taken back in Redis. Only after the
        partition's stream has been drained."""
        return bool(await self._run(self._connection.fetchval, "has_lost_reverts", board))

    async def settle(self, board: str) -> None:
        """Subtracts these late duplicates from the totals."""
        await self._run(
            self._connection.execute, "settle", board, LATE_DUPLICATE, timeout=STATEMENT_PATIENCE
        )

    async def correct(self, board: str) -> None:
        """Sets every total to the sum of the user's accepted actions that were not taken back."""
        await self._run(self._connection.execute, "correct", board, timeout=STATEMENT_PATIENCE)

    async def totals(self, board: str) -> AsyncIterator[list[UserTotal]]:
        """All users of the board in chunks."""
        async for chunk in _chunks(self._connection, _sql["totals"], board):
            yield [UserTotal(*row) for row in chunk]

    async def changed_totals(self, board: str, since: EventId) -> AsyncIterator[list[UserTotal]]:
        """The users whose latest event is beyond ``since``."""
        async for chunk in _chunks(self._connection, _sql["changed_totals"], board, *since):
            yield [UserTotal(*row) for row in chunk]

    async def hidden_totals(self, board: str, users: list[str]) -> AsyncIterator[list[UserTotal]]:
        """The hidden users, and those listed in ``users``."""
        async for chunk in _chunks(self._connection, _sql["hidden_totals"], board, users):
            yield [UserTotal(*row) for row in chunk]

    async def receipts(self, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
        """The actions whose latest event is beyond ``since``, in chunks."""
        async for chunk in receipts(self._connection, board, since):
            yield chunk

    async def _run(
        self,
        method: Callable[..., Awaitable[Any]],
        name: str,
        *args: Any,
        timeout: float = SILENCE,
    ) -> Any:
        with translated():
            return await method(_sql[name], *args, timeout=timeout)


async def receipts(connection: Any, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
    """The board's actions whose latest event is beyond ``since``, in chunks. Raises Unavailable."""
    async for chunk in _chunks(connection, _sql["receipts"], board, *since):
        yield [kept_action(*row) for row in chunk]


async def _chunks(connection: Any, query: str, *args: Any) -> AsyncIterator[list[Any]]:
    """The rows of a query through a server-side cursor, which needs a transaction."""
    with translated():
        async with connection.transaction():
            cursor = await connection.cursor(query, *args, timeout=SILENCE)
            patience = STATEMENT_PATIENCE
            while chunk := await cursor.fetch(CHUNK, timeout=patience):
                yield chunk
                patience = SILENCE


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

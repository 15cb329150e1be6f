"""What the verifier reads in Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from operator import itemgetter

import asyncpg

from scoreboard.domain.audit import LedgerTotal, Misplaced
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.kept_occurrences import KeptOccurrence
from scoreboard.domain.ledger import EventId, KeptAction, Player
from scoreboard.domain.tables import board_of
from scoreboard.pg.board_source import CHUNK, kept_action, players, players_of, receipts
from scoreboard.pg.connection import chunks_of
from scoreboard.pg.failures import translated
from scoreboard.pg.occurrences import kept_tables, latest
from scoreboard.pg.sql import statements

_sql = statements("ledger_audit")


class LedgerAudit:
    """Reads committed rows, a chunk at a time. A table is a board's own, which has its name, or
    that of an occurrence. Every method raises Unavailable when Postgres is
    away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def boards(self) -> list[str]:
        """The names of all boards."""
        with translated():
            return [row[0] for row in await self._pool.fetch(_sql["boards"])]

    async def detail_from(self, board: str) -> int | None:
        """The Unix ms from which on actions are kept one by one; None: all are."""
        with translated():
            return await self._pool.fetchval(_sql["detail_from"], board) or None

    async def occurrences(self, board: str) -> list[KeptOccurrence]:
        """The board's occurrences that have a table, open and final."""
        with translated():
            return await kept_tables(self._pool, board)

    async def latest_occurrences(self, board: str) -> list[KeptOccurrence]:
        """The latest two of each of the board's periods, by period, the older one first."""
        with translated():
            return await latest(self._pool, board)

    async def is_open(self, table: str) -> bool:
        """Whether the table of an occurrence is not final."""
        with translated():
            return bool(await self._pool.fetchval(_sql["is_open"], table))

    async def misplaced(self, table: str) -> list[Misplaced]:
        """Up to ``CHUNK`` users of a final table whose stored place is not that of the totals."""
        with translated():
            rows = await self._pool.fetch(_sql["misplaced"], table, CHUNK)
        return [Misplaced(*row) for row in rows]

    async def counts_players(self, table: str) -> bool:
        """Whether Redis keeps who is in the table, and how many of each one's actions count."""
        with translated():
            text = await self._pool.fetchval(_sql["settings"], board_of(table))
        return text is not None and BoardSettings.from_text(text).counts_players_in(table)

    async def players(self, table: str) -> AsyncIterator[list[Player]]:
        """All who are in the table, in chunks."""
        with translated():
            async with self._pool.acquire() as connection:
                async for chunk in players(connection, table):
                    yield chunk

    async def players_of(self, table: str, users: Sequence[str]) -> list[Player]:
        """Those of these users who are in the table, as it is now."""
        return await players_of(self._pool, table, users)

    async def users(self, table: str) -> int:
        """How many users user_score has of the table."""
        with translated():
            return int(await self._pool.fetchval(_sql["users"], table))

    async def next_users(self, table: str, after: str, count: int) -> list[str]:
        """Up to ``count`` users of the table behind ``after``, by name."""
        with translated():
            rows = await self._pool.fetch(_sql["next_users"], table, after, count)
        return [row[0] for row in rows]

    async def totals(
        self, board: str, tables: Sequence[str]
    ) -> AsyncIterator[tuple[str, list[LedgerTotal]]]:
        """All users of these tables of the board, as of the beginning, table by table, each in
        chunks. The ledger is read once."""
        with translated():
            async with self._pool.acquire() as connection:
                async for chunk in chunks_of(
                    connection, _sql["totals"], board, list(tables), size=CHUNK
                ):
                    for table, rows in groupby(chunk, key=itemgetter(0)):
                        yield table, [LedgerTotal(*row[1:]) for row in map(tuple, rows)]

    async def totals_of(self, table: str, users: Sequence[str]) -> list[LedgerTotal]:
        """These users as they are now; those that neither side knows are left out."""
        with translated():
            rows = await self._pool.fetch(_sql["totals_of"], table, list(users))
        return [LedgerTotal(*row) for row in rows]

    async def receipts(self, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
        """The actions whose latest event is beyond ``since``."""
        with translated():
            async with self._pool.acquire() as connection:
                async for chunk in receipts(connection, board, since):
                    yield chunk

    async def receipts_of(self, board: str, actions: Sequence[KeptAction]) -> list[KeptAction]:
        """These actions as they are now."""
        users, ids = [a.user_id for a in actions], [a.action_id for a in actions]
        with translated():
            rows = await self._pool.fetch(_sql["receipts_of"], board, users, ids)
        return [kept_action(*row) for row in rows]

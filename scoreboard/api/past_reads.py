"""Reads of a table as it was at a moment, from the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from scoreboard.api.board_periods import BoardPeriods, Shown
from scoreboard.api.occurrence_reads import wanted_of
from scoreboard.api.operations import Parameter
from scoreboard.api.ports import PastTables
from scoreboard.domain.periods import is_period_name
from scoreboard.domain.standings import TopEntry, UserStanding
from scoreboard.errors import UnknownPeriod

AT = Parameter(
    "at",
    "query",
    {"type": "string", "format": "date-time"},
    "a moment: reads the table as it was then, from the ledger",
)


class PastReads:
    """Finds the table that is asked for, and reads it as it was."""

    def __init__(self, tables: PastTables, periods: BoardPeriods) -> None:
        self._tables = tables
        self._periods = periods

    async def shown(self, board: str, query: Mapping[str, str], at_ms: int) -> Shown | None:
        """The occurrence that is asked for; None: the table of all time. Where the query names no
        number, it is the one that was current at the moment. Raises what BoardPeriods raises."""
        wanted = wanted_of(query)
        if wanted is None:
            await self._periods.check_all_time(board)
            return None
        period, number = wanted
        if not is_period_name(period):
            raise UnknownPeriod("The board has no such period.")
        if not isinstance(number, int):
            current = await self._tables.occurrence(board, period, at_ms)
            number = current if number is None else current - 1
        return await self._periods.find(board, period, number)

    async def top(self, table: str, at_ms: int) -> list[TopEntry]:
        """The top as it was."""
        return await self._tables.top(table, at_ms)

    async def user(self, table: str, user: str, at_ms: int) -> UserStanding | None:
        """The user's place as it was; None when the user was not in the table."""
        return await self._tables.user(table, user, at_ms)

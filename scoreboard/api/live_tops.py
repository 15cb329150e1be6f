"""What the relay reads: the tops of boards, and of the occurrences of their periods."""

from __future__ import annotations

from typing import Literal

from scoreboard.api.board_periods import BoardPeriods
from scoreboard.api.board_reader import BoardReader
from scoreboard.api.live.ports import OccurrenceTop
from scoreboard.domain.tables import occurrence_table
from scoreboard.errors import BoardCold


class LiveTops:
    """Reads them from Redis, after making the board live: its versions never go back. Only final
    tables are in Postgres."""

    def __init__(self, reader: BoardReader, periods: BoardPeriods) -> None:
        self._reader = reader
        self._periods = periods

    async def top(self, board: str, *, watched: bool) -> tuple[int, bytes]:
        """See TopReader."""
        await self._periods.check_all_time(board)
        return await self._reader.top(board, watched=watched)

    async def latest_top(
        self, board: str, period: str, *, shown: int, watched: bool
    ) -> OccurrenceTop:
        """See TopReader."""
        try:
            known = await self._periods.latest(board, period)
        except BoardCold:
            await self._reader.top(board, watched=watched)
            known = await self._periods.latest(board, period)
        number, ended = known.latest.number, known.before
        table = occurrence_table(board, period, number)
        version, top_scores = await self._reader.top(table, watched=watched)
        if number in (1, shown):
            ended = None
        elif shown and ended is None:
            ended = await self._periods.bounds(board, period, number - 1)
        return OccurrenceTop(number, version, top_scores, ended)

    async def occurrence_top(
        self, board: str, period: str, number: int, *, watched: bool
    ) -> OccurrenceTop:
        """See TopReader. Ranks that are final have no version: the board's, which grows with them,
        stands in for it."""
        shown = await self._periods.find(board, period, number)
        ended = shown.occurrence if shown.state in ("closing", "final") else None
        if not shown.exists:
            return OccurrenceTop(number, 0, b"[]", ended)
        if shown.state == "final":
            _, top_scores = await self._reader.shared_top(shown.table)
            version = (await self._reader.description(board)).version
        else:
            version, top_scores = await self._reader.top(shown.table, watched=watched)
        return OccurrenceTop(number, version, top_scores, ended)

    async def number(self, board: str, period: str, wanted: int | Literal["previous"]) -> int:
        """See OccurrenceFinder."""
        return (await self._periods.find(board, period, wanted)).occurrence.number

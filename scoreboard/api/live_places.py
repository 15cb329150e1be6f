"""What the relay reads of watched players: where they stand."""

from __future__ import annotations

from collections.abc import Sequence

from scoreboard.api.board_periods import BoardPeriods
from scoreboard.api.board_reader import BoardReader
from scoreboard.api.ports import WatchedTables
from scoreboard.domain.standings import Place
from scoreboard.domain.tables import board_of, occurrence_of
from scoreboard.errors import BoardCold
from scoreboard.wire.places import Places, raw_place

_FINAL = b"final"
_EMPTY = b"empty"


class LivePlaces:
    """Reads them from Redis, after making the board live. Ranks that are final are in Postgres:
    they are read once for each user who is asked for."""

    def __init__(self, tables: WatchedTables, reader: BoardReader, periods: BoardPeriods) -> None:
        self._tables = tables
        self._reader = reader
        self._periods = periods

    async def watch(self, table: str) -> bytes:
        """See PlaceReader."""
        return await self._tables.watch(board_of(table))

    async def places(
        self, table: str, users: Sequence[str], *, known: bytes, since: bytes
    ) -> Places:
        """See PlaceReader."""
        if known == _FINAL:
            return Places(_FINAL)
        try:
            return await self._tables.places(table, users, known=known, since=since)
        except BoardCold:
            if occurrence := occurrence_of(table):
                period, _, number = occurrence.partition(":")
                shown = await self._periods.find(board_of(table), period, int(number))
                if not shown.exists:
                    return Places(_EMPTY, places=[b""] * len(users))
                if shown.state == "final":
                    return await self._final(table, users, known)
        await self._reader.top(table, watched=True)  # which makes the board live
        return await self._tables.places(table, users, known=known, since=since)

    async def _final(self, table: str, users: Sequence[str], known: bytes) -> Places:
        if known:  # told already, of the table as it was when it ended
            return Places(_FINAL)
        places = []
        for user in users:
            around = await self._reader.around(table, user, 1)
            places.append(raw_place(around or (), user))
        page = await self._reader.page(table, Place("rank", 1), 0)
        return Places(_FINAL, page.players, places=places)

"""What boards know of their periods."""

from __future__ import annotations

from collections.abc import Sequence

from scoreboard.domain.tables import board_of, occurrence_of
from scoreboard.errors import BoardCold, Unavailable
from scoreboard.redisio.reads import Reads
from scoreboard.wire import scripts
from scoreboard.wire.keys import Keyspace
from scoreboard.wire.known_periods import KnownPeriod


class PeriodStates:
    """Reads them from live boards."""

    def __init__(self, reads: Reads, *, keyspace: Keyspace) -> None:
        self._reads = reads
        self._keyspace = keyspace

    async def read(
        self, board: str, periods: Sequence[str]
    ) -> tuple[int, dict[str, KnownPeriod | None]]:
        """The board's time in Unix ms, and what it knows of each period; None: no occurrence yet.
        Raises BoardCold, also when one can't be read, or Unavailable when Redis is away."""
        time, _, known = await self._read(board, periods)
        return time, known

    async def unopened(self, table: str) -> int | None:
        """The version above which an occurrence's table will begin, if the board has not opened it
        yet; None when it has, or for a board's own table. Raises as ``read``."""
        period, _, number = (occurrence_of(table) or "").partition(":")
        if not period:
            return None
        _, counter, known = await self._read(board_of(table), [period])
        latest = known[period]
        return counter if latest is None or latest.latest.number < int(number) else None

    async def _read(
        self, board: str, periods: Sequence[str]
    ) -> tuple[int, int, dict[str, KnownPeriod | None]]:
        call = scripts.read_periods(key_meta=self._keyspace.board(board).guard)
        call.args.extend(period.encode() for period in periods)
        return told_periods(await self._reads.read(call), periods)


def told_periods(
    reply: Sequence[bytes], periods: Sequence[str]
) -> tuple[int, int, dict[str, KnownPeriod | None]]:
    """What lua/read_periods.lua replies of a live board. Raises BoardCold when a period can't be
    read."""
    time, counter, *texts = reply
    try:
        known = {
            name: KnownPeriod.from_text(text) for name, text in zip(periods, texts, strict=True)
        }
    except Unavailable as error:
        raise BoardCold(error.detail) from None
    return int(time), int(counter), known

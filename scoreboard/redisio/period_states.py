"""What boards know of their periods."""

from __future__ import annotations

from collections.abc import Sequence

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
        call = scripts.read_periods(key_meta=self._keyspace.board(board).guard)
        call.args.extend(period.encode() for period in periods)
        time, *texts = await self._reads.read(call)
        try:
            known = {
                name: KnownPeriod.from_text(text) for name, text in zip(periods, texts, strict=True)
            }
        except Unavailable as error:
            raise BoardCold(error.detail) from None
        return int(time), known

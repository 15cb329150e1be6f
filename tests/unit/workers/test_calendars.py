"""The calendar of a board with shards while one of these goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.occurrences import Occurrence
from scoreboard.domain.periods import Period
from scoreboard.errors import BoardCold, Unavailable
from scoreboard.wire.known_periods import KnownPeriod
from scoreboard.workers.calendars import Calendar

WEEKLY = BoardSettings(shards=2, periods=(Period("week", cron="0 0 * * 1"),))
NOW = 1_795_917_000_000
OPEN = KnownPeriod(Occurrence(1, NOW, NOW + 1), NOW + 1)


class Cleared:
    """Boards of which one is cleared between a read and what follows on it."""

    def __init__(self, cleared: str) -> None:
        self._cleared = cleared
        self._known: dict[str, KnownPeriod] = {}

    async def known(
        self, board: str, periods: Sequence[str]
    ) -> tuple[int, dict[str, KnownPeriod | None]]:
        return NOW, {period: self._known.get(board) for period in periods}

    async def turn(self, board: str, *_: Any, **__: Any) -> bool:
        if board == self._cleared:
            raise BoardCold("The board is not live in Redis.")
        self._known[board] = OPEN
        return True


@pytest.mark.parametrize("cleared", ["arena", "arena.1"])
async def test_a_shard_that_goes_after_it_was_read_is_away_for_now(cleared: str) -> None:
    stand_ins: Any = Cleared(cleared), None
    calendar = Calendar(*stand_ins)
    with pytest.raises(Unavailable):
        await calendar.agreed("arena.1", WEEKLY)
    if cleared == "arena":
        with pytest.raises(Unavailable):
            await calendar.turn("arena", WEEKLY, WEEKLY.periods[0])
    else:
        assert await calendar.turn("arena", WEEKLY, WEEKLY.periods[0]) is False, "opened before"

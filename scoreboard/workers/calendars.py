"""Which occurrence of a period is the latest on a board with shards (domain/shards.py).

The first shard decides, as a board without shards does for itself: an occurrence has the number and
the bounds with which the first shard opened it. The others follow: they open the same occurrence,
each by its own clock. So an action needs the first shard only when its own shard meets an
occurrence for the first time.

After a failover the first shard may have forgotten an occurrence that others still know. So before
it opens the next one, all of them are asked, and it takes over what it lacks: no number is given
twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.domain.shards import shard_names, shard_number, sharded_board
from scoreboard.errors import BoardCold, Unavailable, UnknownBoard
from scoreboard.wire.known_periods import KnownPeriod, latest
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.redis_ports import ClosedBoards

Known = dict[str, KnownPeriod | None]


class Calendar:
    """Every method raises BoardCold for a board without shards that is not live, and Unavailable
    when a server that it needs is away, or while the clock of one is behind that of another."""

    def __init__(self, boards: ClosedBoards, rebuilder: Rebuilder) -> None:
        self._boards = boards
        self._rebuilder = rebuilder

    async def open_due(self, board: str, settings: BoardSettings, period: Period) -> None:
        """Opens the period's first occurrence, or what follows on one that has ended, unless that
        is open already; of a board with shards in all of them, as far as these can be reached."""
        if settings.shard_count == 1:
            await self._boards.open_due(board, period)
        else:
            await self.turn(board, settings, period)

    async def turn(self, shard: str, settings: BoardSettings, period: Period) -> bool:
        """Likewise, on a board with shards. In the first shard it opens the occurrence there and
        then in all others; in another shard, what the first has opened. False when there was
        nothing to open in ``shard``."""
        opened = await self._follow(shard, settings, period)
        if not shard_number(shard):
            others = shard_names(shard, settings.shard_count)[1:]
            for told in await asyncio.gather(
                *(self._follow(other, settings, period) for other in others), return_exceptions=True
            ):
                if isinstance(told, BaseException) and not isinstance(told, Unavailable):
                    raise told
        return opened

    async def catch_up(self, shard: str, period: str) -> None:
        """Opens in a shard the occurrence that the first shard opened last, even if it has ended by
        now, or the board no longer has the period."""
        if (newest := await self._known(sharded_board(shard), period)) is not None:
            await self._hand_on(shard, period, newest, await self._known(shard, period))

    async def remind(self, shard: str, period: str) -> None:
        """Opens in the first shard the occurrence that ``shard`` knows last, if it has forgotten
        that."""
        if (mine := await self._known(shard, period)) is not None:
            board = sharded_board(shard)
            await self._hand_on(board, period, mine, await self._known(board, period))

    async def agreed(self, shard: str, settings: BoardSettings) -> tuple[int, Known]:
        """The shard's time in Unix ms and what it knows of each period, once it has followed its
        board."""
        for period in settings.periods:
            await self._follow(shard, settings, period)
        return await self._read(shard, [period.name for period in settings.periods])

    async def _follow(self, shard: str, settings: BoardSettings, period: Period) -> bool:
        board = sharded_board(shard)
        newest, opened = await self._latest(board, settings, period)
        if not shard_number(shard):
            return opened
        mine = await self._known(shard, period.name)
        if mine is not None and mine.latest.number > newest.latest.number:
            await self._hand_on(board, period.name, mine, newest)
            return False
        return await self._hand_on(shard, period.name, newest, mine)

    async def _latest(
        self, board: str, settings: BoardSettings, period: Period
    ) -> tuple[KnownPeriod, bool]:
        """What the first shard knows of the period, once its latest occurrence has not ended; and
        whether that one was opened just now."""
        name, opened = period.name, False
        now, read = await self._read(board, [name])
        known = here = read[name]
        if here is not None and now < here.latest.ends_at:
            return here, False
        others = shard_names(board, settings.shard_count)[1:]
        for other in await asyncio.gather(*(self._known(shard, name) for shard in others)):
            if other and (known is None or other.latest.number > known.latest.number):
                known = other
        if known is not None and known is not here:
            opened = await self._hand_on(board, name, known, here)
        following = latest(period, known, now)
        if known is None or following.latest.number > known.latest.number:
            opened = await self._open(board, name, following) or opened
        now, read = await self._read(board, [name])
        here = read[name]
        if here is None or here.latest.ends_at <= now:
            raise Unavailable("The board's next occurrence can't be opened now.")
        return here, opened

    async def _hand_on(
        self, shard: str, period: str, known: KnownPeriod, there: KnownPeriod | None
    ) -> bool:
        """Opens in a shard the occurrences that are ``known`` to another and newer than what is
        known ``there``. False when it opened none."""
        opened, least = False, 0 if there is None else there.latest.number
        for one, final_at in (
            (known.before, known.before_final_at),
            (known.latest, known.final_at),
        ):
            if one is not None and one.number > least:
                named = KnownPeriod(one, final_at)
                opened = await self._open(shard, period, named) or opened
        return opened

    async def _open(self, shard: str, period: str, known: KnownPeriod) -> bool:
        try:
            return await self._boards.turn(shard, period, known, follows=True)
        except BoardCold as error:  # since it was read
            raise _not_live() from error

    async def _known(self, shard: str, period: str) -> KnownPeriod | None:
        return (await self._read(shard, [period]))[1][period]

    async def _read(self, shard: str, periods: Sequence[str]) -> tuple[int, Known]:
        with suppress(BoardCold):
            return await self._boards.known(shard, periods)
        try:
            await self._rebuilder.ensure(shard, create=False)
        except UnknownBoard as error:
            raise Unavailable("The board's shards are being made or removed.") from error
        try:
            return await self._boards.known(shard, periods)
        except BoardCold as error:
            raise _not_live() from error


def _not_live() -> Unavailable:
    return Unavailable("The board is being rebuilt.")

"""Keeps what tables are when a day begins, once a day and board, by the clock of the board's zone.

It reads and writes Postgres alone, apart from one look at Redis for a board: whether Postgres has
all that happened before the day began. So nobody who posts waits for it. Several may be at work: a
board's day is kept in one transaction, by whoever is first."""

from __future__ import annotations

import asyncio

import structlog

from scoreboard.domain.cron import zone_names
from scoreboard.domain.daily_ranks import DueDay
from scoreboard.domain.days import day_start
from scoreboard.errors import Unavailable
from scoreboard.workers.postgres_ports import DaysRecord
from scoreboard.workers.redis_ports import BoardLoader, ClosedBoards

log = structlog.get_logger(__name__)

LOOK = 15.0  # seconds between two looks for days that have begun
PAGE = 500  # boards that are looked up at a time


class DayKeeper:
    """``keep_all`` does what is due; ``run`` does so again and again."""

    def __init__(self, days: DaysRecord, loader: BoardLoader, clock: ClosedBoards) -> None:
        self._days = days
        self._loader = loader
        self._clock = clock
        self._done: dict[str, int] = {}  # by zone: the last day that all of its boards have

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.keep_all(await self._clock.now_ms())
            except Unavailable as error:  # of which the persister tells
                log.debug("day_keeper_waits", reason=error.detail)
            await asyncio.sleep(LOOK)

    async def keep_all(self, now: int) -> None:
        """Keeps the days that have begun by ``now``, Unix ms, a board at a time."""
        for zone in await self._days.zones():
            if zone not in zone_names():
                continue  # newer than this machine's data: a process that knows it keeps its days
            day = day_start(zone, now)
            if self._done.get(zone) != day and await self._keep_zone(zone, day):
                self._done[zone] = day

    async def _keep_zone(self, zone: str, day: int) -> bool:
        """Whether nothing is left to do for that day."""
        whole, after = True, ""
        while due := await self._days.due(zone, day, after=after, limit=PAGE):
            for one in due:
                whole = await self._keep(one, day) and whole
            after = due[-1].board
        return whole

    async def _keep(self, due: DueDay, day: int) -> bool:
        try:
            for shard, event in due.shards.items():
                seen = (await self._loader.state(shard)).event if event.ms < day else None
                if seen is not None and seen > event:
                    return False  # what happened before the day is still on its way
            return await self._days.keep(due.board, day)
        except Unavailable as error:
            log.debug("day_waits", board=due.board, reason=error.detail)
        except Exception:
            log.exception("day_failed", board=due.board)
        return False

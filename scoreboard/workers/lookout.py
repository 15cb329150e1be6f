"""One look a second at Postgres for all jobs that follow what is written there: each is woken when
there is something for it, and asks nothing while there is not. What is left undone, for whatever
reason, is found by the next look. While a look says nothing, all find out for themselves: whatever
keeps it waiting may concern one of them only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

import structlog

from scoreboard.domain.waiting_work import Job
from scoreboard.errors import Unavailable
from scoreboard.workers.postgres_ports import WorkRecord
from scoreboard.workers.redis_ports import Clock

log = structlog.get_logger(__name__)

LOOK = 1.0  # most seconds between two looks
SOON = 0.05  # least
PATIENCE = 0.5  # seconds that a look may take

Wake = Callable[[], None]


class Lookout:
    """Calls those of ``wakes`` whose jobs have something to do, and again at each look for as long
    as they have. Several processes may have one."""

    def __init__(self, record: WorkRecord, clock: Clock, wakes: Mapping[Job, Wake]) -> None:
        self._record = record
        self._clock = clock
        self._wakes = dict(wakes)

    async def run(self) -> None:
        """Looks until cancelled, and also when an occurrence ends."""
        while True:
            wait = LOOK
            try:
                now = await self._now()
                async with asyncio.timeout(PATIENCE):
                    found = await self._record.look(now)
                self._wake(found.jobs)
                if now is not None and found.next_end is not None:
                    wait = min(LOOK, (found.next_end - now) / 1000)
            except (Unavailable, TimeoutError) as error:  # of which the persister tells
                log.debug("lookout_waits", reason=repr(error))
                self._wake(self._wakes.keys())
            await asyncio.sleep(max(SOON, wait))

    def _wake(self, jobs: Iterable[Job]) -> None:
        for job in self._wakes.keys() & jobs:
            self._wakes[job]()

    async def _now(self) -> int | None:
        try:
            return await self._clock.now_ms()
        except Unavailable:  # what needs no Redis goes on
            return None

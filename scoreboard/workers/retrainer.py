"""Scheduled training: from time to time each board with a gate gets a new model, trained on its own
actions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from scoreboard.errors import Unavailable
from scoreboard.workers.postgres_ports import TrainingSchedule

log = structlog.get_logger(__name__)

LOOK = 60.0  # seconds between two checks for boards that are due


class Retrainer:
    """Trains one board at a time. ``train`` trains a board outside this process, puts the model in
    force, and tells whether it could; ``interval`` is in seconds.

    Two processes that look at the same moment may both train; the later model is then in force.
    """

    def __init__(
        self,
        schedule: TrainingSchedule,
        train: Callable[[str], Awaitable[bool]],
        *,
        interval: float,
    ) -> None:
        self._schedule = schedule
        self._train = train
        self._interval = interval
        self._tried: dict[str, float] = {}  # when this process last tried a board, loop time

    async def run(self) -> None:
        """Trains until cancelled, or until ``train`` raises. A board that was tried waits for its
        next turn either way, so a run that is begun again goes on with the others."""
        while True:
            await asyncio.sleep(random.uniform(LOOK / 2, LOOK))  # noqa: S311 (spread, not secrecy)
            try:
                await self.train_due()
            except Unavailable:
                continue  # tried again when Postgres is back

    async def train_due(self) -> None:
        """Trains the boards that are due now. Raises Unavailable."""
        now = asyncio.get_running_loop().time()
        for board in await self._schedule.due(self._interval):
            if now - self._tried.get(board, -self._interval) < self._interval:
                continue
            self._tried[board] = now
            trained = await self._train(board)
            log.info("board_retrained" if trained else "board_not_retrained", board=board)

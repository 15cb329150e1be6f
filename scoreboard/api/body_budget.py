"""How much of the bodies that are still arriving a process holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from scoreboard.errors import Unavailable
from scoreboard.telemetry import metrics
from scoreboard.telemetry.sparing_log import SparingLog

log = SparingLog(__name__)


class ArrivingBody:
    """A body of which ``size`` bytes are here; ``given_up`` when others needed the room."""

    __slots__ = ("_budget", "_deadline", "given_up", "size")

    def __init__(self, budget: BodyBudget, deadline: asyncio.Timeout) -> None:
        self._budget = budget
        self._deadline = deadline
        self.size = 0
        self.given_up = False

    def grow(self, size: int) -> None:
        """Counts further bytes. Raises Unavailable once the body was given up."""
        if not self.given_up:
            self.size += size
            self._budget.make_room(size)
        if self.given_up:
            raise no_room()

    def give_up(self) -> None:
        """Ends the waiting for the rest, by the timeout."""
        self.given_up = True
        self._deadline.reschedule(asyncio.get_running_loop().time())


class BodyBudget:
    """Bounds the bytes of all bodies that are arriving to ``most``. When they would be more, the
    bodies that have been arriving for longest are given up: those who send slowly, or never end,
    make room for those who send and go on. A body that came with its head is not counted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._arriving: dict[ArrivingBody, None] = {}  # oldest first

    @contextmanager
    def arriving(self, deadline: asyncio.Timeout) -> Iterator[ArrivingBody]:
        """A body for as long as the block lasts, which ``deadline`` encloses."""
        body = ArrivingBody(self, deadline)
        self._arriving[body] = None
        try:
            yield body
        finally:
            self._forget(body)

    def make_room(self, size: int) -> None:
        """Counts ``size`` further bytes, and gives up bodies until all fit."""
        self._held += size
        while self._held > self._most:
            oldest = next(iter(self._arriving))
            self._forget(oldest)
            oldest.give_up()
            metrics.limits.labels("bodies").inc()
            log.warning("bodies_over_budget", most=self._most)

    def _forget(self, body: ArrivingBody) -> None:
        if body in self._arriving:
            del self._arriving[body]
            self._held -= body.size


def no_room() -> Unavailable:
    """The error for a body that was given up."""
    return Unavailable("Too many bodies are arriving at the same time.")

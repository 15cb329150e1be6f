"""What waits for a board's next call of submit_scores."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from scoreboard.domain.submissions import Submission

MAX_CALL = 1_000  # actions in one call: the script holds Redis for about 10 ms then
CROWD = 32  # requests in one call; each costs a few per cent less in company of more
IN_FLIGHT = 2  # calls of a crowded lane


class Entry:
    """The actions of one request, on their way through a lane."""

    __slots__ = ("create", "done", "submissions")

    def __init__(
        self, submissions: Sequence[Submission], create: bool, done: asyncio.Future[Any]
    ) -> None:
        self.submissions = submissions
        self.create = create
        self.done = done


class Lane:
    """What waits for a board's next calls, and the tasks that make them."""

    __slots__ = ("entries", "queued", "tasks")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.queued = 0
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def wants_task(self) -> bool:
        """True when nobody makes calls, or when so many wait that Redis can work on one call while
        this process answers the other."""
        crowded = len(self.entries) >= CROWD and len(self.tasks) < IN_FLIGHT
        return crowded or not self.tasks

    def take(self) -> list[Entry]:
        """The entries of the next call: as many as fit, and no more than a crowd."""
        taken: list[Entry] = []
        room = MAX_CALL
        while self.entries and len(taken) < CROWD and len(self.entries[0].submissions) <= room:
            entry = self.entries.popleft()
            room -= len(entry.submissions)
            taken.append(entry)
        self.queued -= MAX_CALL - room
        return taken

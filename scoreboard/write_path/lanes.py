"""The queues of submissions that wait for a board's next call of submit_scores."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from scoreboard.domain.submissions import Submission

# Most actions gathered into one call, unless a single request has more. Such a call occupies Redis
# for about 2 ms; in a call of twice the size each action takes a fifth longer.
FULL_CALL = 100
# Lanes of a board, by a request's first user: while Redis works on the call of one lane, this
# process answers that of the other.
LANES = 2


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
    """The requests that wait for a lane's next call, and the task that makes its calls."""

    __slots__ = ("entries", "queued", "task")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.queued = 0
        self.task: asyncio.Task[None] | None = None

    def take(self) -> list[Entry]:
        """Takes the entries of the next call: the first one, and those that still fit."""
        first = self.entries.popleft()
        taken, room = [first], FULL_CALL - len(first.submissions)
        while self.entries and len(self.entries[0].submissions) <= room:
            entry = self.entries.popleft()
            room -= len(entry.submissions)
            taken.append(entry)
        self.queued -= FULL_CALL - room
        return taken

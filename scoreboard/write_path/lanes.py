"""The queues of submissions that wait for a board's next call of submit_scores."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from scoreboard.domain.submissions import Submission

# Most actions gathered into one call, unless a single request has more. Such a call occupies Redis
# for about 2 ms; in a call of twice the size each action takes a fifth longer.
FULL_CALL = 100
# Lanes of a board, by a request's first user: while Redis works on the call of one lane, this
# process answers that of the other.
LANES = 2


class Entry:
    """The actions of one request, on their way through a lane; ``trace`` is the request's place
    in a trace, empty when there is none."""

    __slots__ = ("create", "done", "submissions", "trace")

    def __init__(
        self,
        submissions: Sequence[Submission],
        create: bool,
        done: asyncio.Future[Any],
        trace: str = "",
    ) -> None:
        self.submissions = submissions
        self.create = create
        self.done = done
        self.trace = trace


class Lane:
    """The requests that wait for a lane's next call, and the task that makes its calls."""

    __slots__ = ("entries", "queued", "task")

    def __init__(self) -> None:
        self.entries: dict[Entry, None] = {}  # in order of arrival
        self.queued = 0  # their actions
        self.task: asyncio.Task[None] | None = None

    def add(self, entry: Entry) -> None:
        """Puts an entry at the end."""
        self.entries[entry] = None
        self.queued += len(entry.submissions)

    def take(self) -> list[Entry]:
        """Takes the entries of the next call: the first one, and those that still fit; but none
        for which nobody waits any more."""
        taken: list[Entry] = []
        room = FULL_CALL
        for entry in self.entries:
            if taken and len(entry.submissions) > room:
                break
            room -= len(entry.submissions)
            taken.append(entry)
        for entry in taken:
            del self.entries[entry]
        self.queued -= FULL_CALL - room
        return [entry for entry in taken if not entry.done.done()]

    def leave(self, entry: Entry) -> None:
        """Forgets an entry for which nobody waits any more, unless its call has begun."""
        if entry in self.entries:
            del self.entries[entry]
            self.queued -= len(entry.submissions)

    def fail(self, error: Exception) -> None:
        """Answers all who wait."""
        fail(self.entries, error)
        self.entries.clear()
        self.queued = 0


def fail(entries: Iterable[Entry], error: Exception) -> None:
    """Answers these entries with an error."""
    for entry in entries:
        if not entry.done.done():
            entry.done.set_exception(error)

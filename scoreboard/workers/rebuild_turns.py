"""Which board is made live next, when many are cold at once, as after Redis was emptied."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scoreboard.domain.urgency import Urgency

MAX_AT_ONCE = 4  # boards of one process; each holds a connection to Postgres
READ_AT_ONCE = 2  # of these, boards that only readers wait for, so that a write finds a free place


class Turn:
    """A board's turn, which it may have to wait for."""

    def __init__(self, partition: int, urgency: Urgency) -> None:
        self.partition = partition
        self.urgency = urgency
        self.begun: asyncio.Future[None] | None = None  # None until it is waited for
        self.number = 0  # in the order in which they came


class RebuildTurns:
    """Hands out turns: to the most urgent board first, and among equals to the one that came first.
    Only one board of a partition has its turn at a time, as others would only wait for the
    partition's lock."""

    def __init__(self, partitions: int) -> None:
        # A heap for each partition. An entry whose turn has begun or ended, or has become more
        # urgent since, is skipped.
        self._waiting: list[list[tuple[Urgency, int, Turn]]] = [[] for _ in range(partitions)]
        self._current: dict[int, Turn] = {}  # by partition
        self._numbers = itertools.count()

    @asynccontextmanager
    async def taken(self, turn: Turn) -> AsyncIterator[None]:
        """Waits for the turn, and holds it during the block."""
        turn.begun = asyncio.get_running_loop().create_future()
        turn.number = next(self._numbers)
        self._push(turn)
        self._begin()
        try:
            await turn.begun
            yield
        finally:
            turn.begun.cancel()
            if self._current.get(turn.partition) is turn:
                del self._current[turn.partition]
            self._begin()

    def hurry(self, turn: Turn, urgency: Urgency) -> None:
        """Makes a turn more urgent."""
        turn.urgency = min(turn.urgency, urgency)
        if turn.begun is not None and not turn.begun.done():
            self._push(turn)
        self._begin()  # a board that is loaded for a write now leaves its place to another read

    def _push(self, turn: Turn) -> None:
        heapq.heappush(self._waiting[turn.partition], (turn.urgency, turn.number, turn))

    def _begin(self) -> None:
        while (turn := self._next()) is not None:
            assert turn.begun is not None
            self._current[turn.partition] = turn
            turn.begun.set_result(None)

    def _next(self) -> Turn | None:
        if len(self._current) >= MAX_AT_ONCE:
            return None
        first: tuple[Urgency, int, Turn] | None = None
        for partition, waiting in enumerate(self._waiting):
            while waiting and _is_over(*waiting[0]):
                heapq.heappop(waiting)
            if waiting and partition not in self._current and (not first or waiting[0] < first):
                first = waiting[0]
        if first is None:
            return None
        reads = sum(turn.urgency is Urgency.READ for turn in self._current.values())
        if first[0] is Urgency.READ and reads >= READ_AT_ONCE:
            return None
        return first[2]


def _is_over(urgency: Urgency, _: int, turn: Turn) -> bool:
    """Whether an entry of a heap no longer stands for a turn that is waited for."""
    return turn.begun is None or turn.begun.done() or turn.urgency is not urgency

"""The changed tops of boards with shards: a change of a shard's top may be one of the board's. The
board is read then, once for all changes that come while that goes on. So it is with the occurrences
of its periods."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from scoreboard.api.live.ports import TopReader, UpdateSource
from scoreboard.background import end
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.shards import shard_names, sharded_board
from scoreboard.domain.tables import board_of
from scoreboard.errors import ScoreboardError
from scoreboard.wire import messages

OnUpdate = Callable[[str, bytes], None]
OnResubscribed = Callable[[str], None]


class ShardedUpdates:
    """``settings_of`` gives a board's settings; it may raise what reads of boards raise.
    ``interval`` is the least time in seconds between two reads of a board."""

    def __init__(
        self,
        source: UpdateSource,
        settings_of: Callable[[str], Awaitable[BoardSettings]],
        reader: TopReader,
        *,
        interval: float,
    ) -> None:
        self._source = source
        self._settings_of = settings_of
        self._reader = reader
        self._interval = interval
        self._shards: dict[str, list[str]] = {}  # of boards that have some
        self._changed: set[str] = set()
        self._reads: dict[str, asyncio.Task[None]] = {}

    async def subscribe(self, board: str) -> None:
        """See UpdateSource. Raises UnknownBoard, or Unavailable, when it can't be said which shards
        a board has."""
        shards: list[str] = []
        if not board.startswith("/"):  # else it is no board
            settings = await self._settings_of(board_of(board))
            shards = shard_names(board, settings.shard_count)[1:]
        if shards:
            self._shards[board] = shards
        for name in (board, *shards):
            await self._source.subscribe(name)

    def unsubscribe(self, board: str) -> None:
        """See UpdateSource."""
        for name in (board, *self._shards.pop(board, ())):
            self._source.unsubscribe(name)

    async def run(self, on_update: OnUpdate, on_resubscribed: OnResubscribed) -> None:
        """See UpdateSource."""

        def updated(name: str, text: bytes) -> None:
            board = sharded_board(name)
            if board not in self._shards:
                on_update(name, text)
            elif text == messages.GONE:
                on_resubscribed(board)
            elif text.startswith(messages.CLOSED):
                if name == board:  # the first shard speaks for all
                    on_update(board, text)
            else:
                self._changed.add(board)
                if board not in self._reads:
                    task = asyncio.create_task(self._read(board, on_update, on_resubscribed))
                    self._reads[board] = task
                    task.add_done_callback(lambda _: self._reads.pop(board))

        def resubscribed(name: str) -> None:
            on_resubscribed(sharded_board(name))

        try:
            await self._source.run(updated, resubscribed)
        finally:
            await end(*self._reads.values())

    async def _read(self, board: str, on_update: OnUpdate, on_resubscribed: OnResubscribed) -> None:
        while board in self._changed:
            self._changed.discard(board)
            try:
                text = await self._update(board)
            except ScoreboardError:
                on_resubscribed(board)  # which tries until it can be read
            else:
                on_update(board, text)
            await asyncio.sleep(self._interval)

    async def _update(self, feed: str) -> bytes:
        """The newest top of a board, of a period's latest occurrence or of one occurrence."""
        match feed.split(":"):
            case [board, period]:
                latest = await self._reader.latest_top(board, period, shown=0, watched=True)
                return messages.period_update(board, period, *latest[:3])
            case [board, period, number]:
                found = await self._reader.occurrence_top(board, period, int(number), watched=True)
                return messages.period_update(board, period, *found[:3])
        return messages.update(feed, *await self._reader.top(feed, watched=True))

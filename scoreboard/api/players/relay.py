"""Names in the relay: put in once for each change of a top, not for each client.

News of profiles come on the connection on which changed tops do. So a name is known here before the
version that was made for its sake arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import UNSET, Raw, UnsetType

from scoreboard.api.live.ports import OccurrenceTop, TopReader, UpdateSource
from scoreboard.api.players.memory import ProfileMemory
from scoreboard.api.players.presentation import Presentation
from scoreboard.background import end
from scoreboard.errors import Unavailable

NEWS = "/profiles"  # what is subscribed to beside boards, whose names have no slash

OnUpdate = Callable[[str, bytes], None]
OnResubscribed = Callable[[str], None]


class PresentedTops:
    """The tops that the relay reads, as everybody sees them. Raises Unavailable when that can't be
    said, so that the relay keeps what it has."""

    def __init__(self, reader: TopReader, presentation: Presentation) -> None:
        self._reader = reader
        self._presentation = presentation

    async def top(self, board: str, *, watched: bool) -> tuple[int, bytes]:
        """See TopReader."""
        version, entries = await self._reader.top(board, watched=watched)
        return version, await self._presentation.entries(board, entries, None)

    async def latest_top(
        self, board: str, period: str, *, shown: int, watched: bool
    ) -> OccurrenceTop:
        """See TopReader."""
        found = await self._reader.latest_top(board, period, shown=shown, watched=watched)
        entries = await self._presentation.entries(board, found.top_scores, None)
        return found._replace(top_scores=entries)

    async def occurrence_top(
        self, board: str, period: str, number: int, *, watched: bool
    ) -> OccurrenceTop:
        """See TopReader."""
        found = await self._reader.occurrence_top(board, period, number, watched=watched)
        entries = await self._presentation.entries(board, found.top_scores, None)
        return found._replace(top_scores=entries)


class PresentedUpdates:
    """The changed tops, as everybody sees them, and behind them the news of profiles, for the
    memory."""

    def __init__(
        self, source: UpdateSource, presentation: Presentation, memory: ProfileMemory
    ) -> None:
        self._source = source
        self._presentation = presentation
        self._memory = memory
        self._newest: dict[str, bytes] = {}  # messages with players to look up, by feed
        self._lookups: dict[str, asyncio.Task[None]] = {}

    async def subscribe(self, board: str) -> None:
        """See UpdateSource."""
        await self._source.subscribe(board)

    def unsubscribe(self, board: str) -> None:
        """See UpdateSource."""
        self._source.unsubscribe(board)

    async def run(self, on_update: OnUpdate, on_resubscribed: OnResubscribed) -> None:
        """See UpdateSource."""

        def updated(board: str, text: bytes) -> None:
            if board == NEWS:
                self._memory.learn(text)
            elif not self._presentation.needed:
                on_update(board, text)
            else:
                self._update(board, text, on_update, on_resubscribed)

        def resubscribed(board: str) -> None:
            if board == NEWS:
                self._memory.forget()
            else:
                on_resubscribed(board)

        await self._source.subscribe(NEWS)
        try:
            await self._source.run(updated, resubscribed)
        finally:
            await end(*self._lookups.values())

    def _update(
        self, board: str, text: bytes, on_update: OnUpdate, on_resubscribed: OnResubscribed
    ) -> None:
        try:
            entries = _entries_of(text)
            shown = entries and self._presentation.entries_at_once(board, entries)
        except (msgspec.DecodeError, Unavailable):
            on_resubscribed(board)  # which reads it, or waits until it can be shown
            return
        if entries is None:
            on_update(board, text)
        elif shown is not None:
            self._newest.pop(board, None)
            on_update(board, text.replace(entries, shown, 1))
        else:
            self._newest[board] = text
            if board not in self._lookups:
                task = asyncio.create_task(self._look_up(board, on_update, on_resubscribed))
                self._lookups[board] = task
                task.add_done_callback(lambda _: self._lookups.pop(board))

    async def _look_up(
        self, board: str, on_update: OnUpdate, on_resubscribed: OnResubscribed
    ) -> None:
        while text := self._newest.pop(board, None):
            entries = _entries_of(text)
            assert entries is not None
            try:
                shown = await self._presentation.entries(board, entries, None)
            except Unavailable:
                on_resubscribed(board)  # reads it as soon as it can be shown
                return
            on_update(board, text.replace(entries, shown, 1))


class _Update(msgspec.Struct, rename="camel"):
    top_scores: Raw | UnsetType = UNSET


_update = msgspec.json.Decoder(_Update)


def _entries_of(text: bytes) -> bytes | None:
    """The part of a message that is presented; the end of an occurrence has none. Raises
    msgspec.DecodeError."""
    entries = _update.decode(text).top_scores
    return None if entries is UNSET else bytes(entries)

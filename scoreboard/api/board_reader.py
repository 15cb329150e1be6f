"""Reads boards from Redis while they are live, and from Postgres while they are not.

Concurrent reads of one top 10 share a read of Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from scoreboard.api.ports import BoardOpener, ReadableBoards
from scoreboard.background import end
from scoreboard.domain.descriptions import Description
from scoreboard.domain.standings import Page, Place, Standing, UserStanding
from scoreboard.domain.tables import board_of
from scoreboard.domain.urgency import Urgency
from scoreboard.errors import BoardCold, BoardUnreadable, ScoreboardError, Unavailable

T = TypeVar("T")

PATIENCE = 0.25  # seconds a read waits for a board to become live before Postgres answers


class _Shared:
    """Lets concurrent readers of one board's top 10 share a read. A reader who comes while a read
    is under way waits for the next one: the read under way may have begun before a change that the
    reader already knows of."""

    __slots__ = ("reading", "task", "waiting")

    def __init__(self) -> None:
        self.reading: list[asyncio.Future[tuple[int, bytes]]] = []  # wait for the read under way
        self.waiting: list[asyncio.Future[tuple[int, bytes]]] = []  # and for the next one
        self.task: asyncio.Task[None] | None = None


class BoardReader:
    """Reads boards, and the occurrences of their periods by the names of their tables, for the
    handlers and for the relay."""

    def __init__(self, live: ReadableBoards, archive: ReadableBoards, opener: BoardOpener) -> None:
        self._live = live
        self._archive = archive
        self._opener = opener
        self._shared: dict[str, _Shared] = {}

    async def close(self) -> None:
        """Ends the reads under way."""
        await end(*(shared.task for shared in self._shared.values() if shared.task is not None))

    async def top(self, board: str, *, watched: bool) -> tuple[int, bytes]:
        """(version, JSON array) of the live top 10, after waiting for the board to become live,
        which boards that are ``watched`` do before others. For the relay, whose versions never go
        back. Raises UnknownBoard or Unavailable."""
        try:
            return await self._live.top(board)
        except (BoardCold, BoardUnreadable):
            urgency = Urgency.WATCHED if watched else Urgency.READ
            await self._opener.ensure(board_of(board), create=False, urgency=urgency)
        try:
            return await self._live.top(board)
        except BoardCold as error:
            raise Unavailable("The board is being rebuilt.") from error

    async def shared_top(self, board: str) -> tuple[int | None, bytes]:
        """(version, JSON array) of the top 10; without a version when Postgres answered."""
        shared = self._shared.get(board)
        if shared is None:
            shared = self._shared[board] = _Shared()
        read: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        shared.waiting.append(read)
        if shared.task is None:
            self._begin(board, shared)
        try:
            return await read
        except (BoardCold, Unavailable) as error:
            return await self._fallen_back(board, error, self._live.top, self._archived_top)

    async def description(self, board: str) -> Description:
        """The board's settings, its version, and how many users it shows."""
        return await self._read(board, self._live.description, self._archive.description)

    async def standings(self, board: str, users: list[str]) -> list[Standing | None]:
        """The standing of each user in order; None for one who is not on the board."""
        return await self._read(
            board,
            lambda _: self._live.standings(board, users),
            lambda _: self._archive.standings(board, users),
        )

    async def around(self, board: str, user: str, radius: int) -> list[Standing] | None:
        """The user with up to ``radius`` neighbours on each side; None when not on the board."""
        return await self._read(
            board,
            lambda _: self._live.around(board, user, radius),
            lambda _: self._archive.around(board, user, radius),
        )

    async def user(self, board: str, user: str) -> UserStanding | None:
        """The user's place with the one above and the way to the top 10; None when the user is not
        on the board."""
        return await self._read(
            board,
            lambda _: self._live.user(board, user),
            lambda _: self._archive.user(board, user),
        )

    async def page(self, board: str, place: Place, limit: int) -> Page:
        """Up to ``limit`` users in order of rank, from the place on. The place that a page ends at
        serves for the next one wherever that is read."""
        return await self._read(
            board,
            lambda _: self._live.page(board, place, limit),
            lambda _: self._archive.page(board, place, limit),
        )

    def _begin(self, board: str, shared: _Shared) -> None:
        shared.task = asyncio.create_task(self._serve(board, shared))
        shared.task.add_done_callback(lambda task: self._ended(board, shared, task))

    async def _serve(self, board: str, shared: _Shared) -> None:
        """Reads again and again for as long as somebody waits."""
        while shared.waiting:
            shared.reading, shared.waiting = shared.waiting, []
            try:
                top = await self._live.top(board)
            except Exception as error:  # noqa: BLE001 - handed to everyone who waits
                _fail(shared.reading, error)
            else:
                for read in shared.reading:
                    if not read.done():
                        read.set_result(top)

    def _ended(self, board: str, shared: _Shared, task: asyncio.Task[None]) -> None:
        """Answers those who still wait, however the task has ended."""
        if shared.waiting and not task.cancelled():
            self._begin(board, shared)  # they came in the moment in which it ended
            return
        del self._shared[board]
        _fail(shared.reading + shared.waiting, Unavailable("The read was stopped."))

    async def _archived_top(self, board: str) -> tuple[None, bytes]:
        _, top = await self._archive.top(board)
        return None, top

    async def _read(
        self,
        board: str,
        live: Callable[[str], Awaitable[T]],
        archived: Callable[[str], Awaitable[T]],
    ) -> T:
        try:
            return await live(board)
        except (BoardCold, Unavailable) as error:
            return await self._fallen_back(board, error, live, archived)

    async def _fallen_back(
        self,
        board: str,
        why: ScoreboardError,
        live: Callable[[str], Awaitable[T]],
        archived: Callable[[str], Awaitable[T]],
    ) -> T:
        if isinstance(why, BoardCold | BoardUnreadable):
            try:
                await self._warm(board)
                return await live(board)
            except (BoardCold, Unavailable):
                pass
        return await archived(board)

    async def _warm(self, board: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._opener.ensure(board_of(board), create=False, urgency=Urgency.READ)
        except TimeoutError:
            raise Unavailable("The board is being rebuilt.") from None


def _fail(reads: Iterable[asyncio.Future[tuple[int, bytes]]], error: Exception) -> None:
    for read in reads:
        if not read.done():
            read.set_exception(error)

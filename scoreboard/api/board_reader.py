"""Reads boards from Redis while they are live, and from Postgres while they are not.

Concurrent reads of one top 10 share a read of Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from scoreboard.api.ports import BoardOpener, ReadableBoards
from scoreboard.background import end
from scoreboard.domain.standings import Standing
from scoreboard.errors import BoardCold, ScoreboardError, Unavailable

T = TypeVar("T")

PATIENCE = 0.25  # seconds a read waits for a board to become live before Postgres answers


class _Shared:
    """Lets concurrent readers of one board's top 10 share a read. A reader who comes while a read
    is under way waits for the next one: the read under way may have begun before a change that the
    reader already knows of."""

    __slots__ = ("task", "waiting")

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[tuple[int, bytes]]] = []
        self.task: asyncio.Task[None] | None = None


class BoardReader:
    """Reads boards, for the handlers and for the relay."""

    def __init__(self, live: ReadableBoards, archive: ReadableBoards, opener: BoardOpener) -> None:
        self._live = live
        self._archive = archive
        self._opener = opener
        self._shared: dict[str, _Shared] = {}

    async def close(self) -> None:
        """Ends the reads under way."""
        await end(*(shared.task for shared in self._shared.values() if shared.task is not None))

    async def top(self, board: str) -> tuple[int, bytes]:
        """(version, JSON array) of the live top 10, after waiting for the board to become live.
        For the relay, whose versions never go back. Raises UnknownBoard or Unavailable."""
        try:
            return await self._live.top(board)
        except BoardCold:
            await self._warm(board, patience=None)
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
            shared.task = asyncio.create_task(self._serve(board, shared))
        try:
            return await read
        except (BoardCold, Unavailable) as error:
            return await self._fallen_back(board, error, self._live.top, self._archived_top)

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

    async def _serve(self, board: str, shared: _Shared) -> None:
        """Reads again and again for as long as somebody waits."""
        try:
            while waiting := shared.waiting:
                shared.waiting = []
                try:
                    top = await self._live.top(board)
                except Exception as error:  # noqa: BLE001 - handed to everyone who waits
                    for read in waiting:
                        if not read.done():
                            read.set_exception(error)
                else:
                    for read in waiting:
                        if not read.done():
                            read.set_result(top)
        finally:
            del self._shared[board]

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
        if isinstance(why, BoardCold):
            try:
                await self._warm(board, patience=PATIENCE)
                return await live(board)
            except (BoardCold, Unavailable):
                pass
        return await archived(board)

    async def _warm(self, board: str, *, patience: float | None) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._opener.ensure(board, create=False)
        except TimeoutError:
            raise Unavailable("The board is being rebuilt.") from None

"""Boards follow profiles: who is shown by another name, or by none, becomes so for those who watch,
and who wants to be hidden leaves the lists.

Postgres has what is left to do, from the transaction of the change on; so it is done whatever
crashes meanwhile. Each step may be repeated:

1. Whether a user is hidden is committed to the rows of all of the board's tables, under the
   partition's lock, so that no load of the board is half way. A moderator's hiding is a reason of
   its own: a user is hidden while there is any.
2. One script brings the live board in line and tells its clients. A board that is not live gets all
   that by its next load, with a new version.
3. The change is done, unless the profile has changed again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from itertools import groupby

import structlog

from scoreboard.background import keep_running
from scoreboard.backoff import Backoff
from scoreboard.domain.profiles import ProfileChange
from scoreboard.errors import BoardCold, Unavailable, cause_of
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.postgres_ports import PartitionLocks, ProfileChanges
from scoreboard.workers.redis_ports import FollowedBoards, NewsSource

log = structlog.get_logger(__name__)

MOST = 500  # changes in a round


class ProfileFollower:
    """Several processes may have one; they take turns. ``news`` tells at once what the lookout
    would find."""

    def __init__(
        self,
        changes: ProfileChanges,
        boards: FollowedBoards,
        locks: PartitionLocks,
        news: NewsSource,
        *,
        keyspace: Keyspace,
    ) -> None:
        self._changes = changes
        self._boards = boards
        self._locks = locks
        self._news = news
        self._keyspace = keyspace
        self._some = asyncio.Event()

    def wake(self) -> None:
        """Something is to be done."""
        self._some.set()

    async def run(self) -> None:
        """Works until cancelled."""
        await self._news.subscribe("profiles")
        async with asyncio.TaskGroup() as group:
            for name, part in (
                ("news of profiles", lambda: self._news.run(self._on_news, self._on_loss)),
                ("following profiles", self._follow_on),
            ):
                group.create_task(keep_running(name, part))

    async def follow(self) -> None:
        """Does what is to be done now. Raises Unavailable; a board that can't be had keeps no
        other waiting."""
        await self._changes.recheck(MOST)
        if not await self._changes.pending(1):
            return
        away: dict[str, Unavailable] = {}
        async with self._changes.turn() as mine:
            more = mine
            while more:
                pending = await self._changes.pending(MOST, but=away)
                more = len(pending) == MOST
                by_board = sorted(pending, key=lambda change: change.board)
                for board, changes in groupby(by_board, key=lambda change: change.board):
                    try:
                        await self._follow(board, list(changes))
                    except Unavailable as error:
                        away[board] = error
        for failed in away.values():
            raise failed

    async def _follow(self, board: str, changes: Sequence[ProfileChange]) -> None:
        hide, show = list[str](), list[str]()
        listed = [change.user_id for change in changes if change.listing]
        async with AsyncExitStack() as held:
            if listed:
                partition = self._keyspace.partition_of(board)
                await held.enter_async_context(self._locks.locked(partition))
            for user in listed:
                hidden = await self._changes.choose(board, user)
                if hidden is not None:
                    (hide if hidden else show).append(user)
            rename = [change.user_id for change in changes]
            with suppress(BoardCold):  # its next load brings it
                await self._boards.follow(board, hide=hide, show=show, rename=rename)
        for change in changes:
            await self._changes.done(change)

    async def _follow_on(self) -> None:
        backoff: Backoff | None = None
        while True:
            self._some.clear()
            try:
                await self.follow()
            except Unavailable as error:
                if backoff is None:
                    log.warning("profiles_not_followed", reason=error.detail, cause=cause_of(error))
                    backoff = Backoff()
                await asyncio.sleep(backoff.next())
                continue
            if backoff is not None:
                log.info("profiles_followed_again")
                backoff = None
            await self._some.wait()

    def _on_news(self, _: str, text: bytes) -> None:
        self.wake()

    def _on_loss(self, _: str) -> None:
        self.wake()

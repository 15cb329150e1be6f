"""Shares the capacity of a board with shards out among them (docs/decisions/0042).

A shard takes new users only as far as its share goes, which its own script sees to. The first shard
deals the shares out, never more in all than the board's capacity. When nothing is left to deal, all
shards give back what they have no user for; when nothing is left then, the board is full.

Shares are dealt in terms. A term begins when all shards have entered it, and have given back what
they had no user for: so what an earlier term dealt, and is still on its way, comes too late. A
shard that is loaded, or gets another capacity, is in no term, and so a new one has to begin. The
first shard enters a term before the others do, and begins it only while it is in it still: so no
other term has begun since any of them told what it has."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from scoreboard.background import end, result_of
from scoreboard.backoff import Backoff
from scoreboard.domain.capacity_shares import Dealt, NotDealt, OtherTerm, Share
from scoreboard.domain.shards import shard_names, shard_number, sharded_board
from scoreboard.domain.tables import board_of, occurrence_of
from scoreboard.errors import BoardCold, Unavailable, UnknownBoard
from scoreboard.workers.calendars import Calendar
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.redis_ports import CapacityShares

T = TypeVar("T")

PATIENCE = 2.0  # seconds
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.2  # seconds, for who was disturbed by another process
NEW_TERM = 2**20  # terms are drawn from so many, so that no two processes begin the same


class _Superseded(Exception):
    """Something is in this term, or in none (0), and has to enter a later one."""

    def __init__(self, term: int) -> None:
        super().__init__(term)
        self.term = term


class _Over(Exception):
    """The occurrence is final somewhere, so nobody gets in any more."""


class _Round:
    """What the shards of a board want in one table, by their numbers."""

    def __init__(self) -> None:
        self.wanted: dict[int, int] = {}
        self.task: asyncio.Task[frozenset[int]] | None = None


class SharedCapacity:
    """Calls of one process for the same table are served together."""

    def __init__(self, shares: CapacityShares, calendar: Calendar, rebuilder: Rebuilder) -> None:
        self._shares = shares
        self._calendar = calendar
        self._rebuilder = rebuilder
        self._gathering: dict[tuple[str, int], _Round] = {}
        self._latest: dict[tuple[str, int], asyncio.Task[frozenset[int]]] = {}
        self._running: set[asyncio.Task[frozenset[int]]] = set()

    async def more(self, part: str, shards: int, users: int) -> bool:
        """Gets a shard, in its part of a table, room for so many more users, or for as many as
        there is any for. False when the board is full. With True others may still take it first.
        Raises Unavailable."""
        table, number = sharded_board(part), shard_number(part)
        key = table, shards
        round_ = self._gathering.setdefault(key, _Round())
        round_.wanted[number] = round_.wanted.get(number, 0) + users
        if round_.task is None:
            task = asyncio.create_task(self._run(key, round_, self._latest.get(key)))
            round_.task = self._latest[key] = task
            self._running.add(task)
            task.add_done_callback(lambda done: self._ended(key, done))
        return number in await result_of(round_.task)

    async def close(self) -> None:
        """Ends what is under way."""
        await end(*self._running)

    def _ended(self, key: tuple[str, int], task: asyncio.Task[frozenset[int]]) -> None:
        self._running.discard(task)
        if self._latest.get(key) is task:
            del self._latest[key]
        if not task.cancelled():
            task.exception()  # retrieved, even if every caller has left

    async def _run(
        self,
        key: tuple[str, int],
        round_: _Round,
        before: asyncio.Task[frozenset[int]] | None,
    ) -> frozenset[int]:
        try:
            if before is not None:
                await asyncio.wait((before,))
        finally:
            del self._gathering[key]  # who comes from here on may know more than is read now
        table, shards = key
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._deal(table, shards, round_.wanted)
        except TimeoutError:
            raise _not_shared() from None

    async def _deal(self, table: str, shards: int, wanted: dict[int, int]) -> frozenset[int]:
        """The shards among those with a wish that have more room now, or may have."""
        parts = shard_names(table, shards)
        wishes = [wanted.get(number, 0) for number in range(shards)]
        unasked: list[Share | None] = [None] * shards
        term, returned = None, unasked
        capacity, begins = 0, None
        pause = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            try:
                if begins is not None:
                    returned = [
                        *await self._returned(parts[:1], capacity, begins, [0]),
                        *await self._returned(parts[1:], capacity, begins, [0] * (shards - 1)),
                    ]
                    term = begins
                dealt = await self._dealt(table, term, returned, wishes)
                if dealt is NotDealt.UNSETTLED:
                    return frozenset(wanted)  # the board has no capacity any more
                if isinstance(dealt, Dealt):
                    capacity, term = dealt.capacity, dealt.term
                    # Without a wish that is left over, or when all gave back what they could.
                    if _fulfilled(dealt, wishes) or (not dealt.moved and None not in returned):
                        return await self._held(parts, dealt, wanted)
                    numbers = [share.number for share in dealt.shares]
                    returned = await self._returned(parts, capacity, term, numbers)
                elif isinstance(dealt, OtherTerm):
                    capacity = dealt.capacity
                    raise _Superseded(dealt.term)
                else:
                    await self._remind(parts, wanted)
                    await asyncio.sleep(pause.next())
                    term, returned = None, unasked
                begins = None
            except _Superseded as later:
                if begins is not None:  # another process begins a term, too
                    await asyncio.sleep(pause.next())
                begins = later.term + 1 + secrets.randbelow(NEW_TERM)
            except _Over:
                return frozenset()

    async def _dealt(
        self,
        table: str,
        begins: int | None,
        returned: Sequence[Share | None],
        wishes: Sequence[int],
    ) -> Dealt | OtherTerm | NotDealt:
        async def deal() -> Dealt | OtherTerm | NotDealt:
            return await self._shares.deal(table, term=begins, returned=returned, wanted=wishes)

        dealt = await self._live(table, deal)
        if dealt is NotDealt.FINAL:
            raise _Over
        return dealt

    async def _returned(
        self, parts: Sequence[str], capacity: int, term: int, numbers: Sequence[int]
    ) -> list[Share | None]:
        """What each shard has left once it gave back the rest; None for one to which something was
        dealt meanwhile."""

        async def give_back(part: str, number: int) -> Share | OtherTerm | NotDealt:
            return await self._live(
                part, lambda: self._shares.give_back(part, capacity, term, number)
            )

        returned: list[Share | None] = []
        for told in await asyncio.gather(*map(give_back, parts, numbers)):
            if isinstance(told, OtherTerm):
                raise _Superseded(max(term, told.term))
            if told is NotDealt.FINAL:
                raise _Over
            if told is NotDealt.UNSETTLED:
                raise Unavailable("The board's settings are being changed.", retry_after=1.0)
            returned.append(told if isinstance(told, Share) else None)
        return returned

    async def _held(
        self, parts: Sequence[str], dealt: Dealt, wanted: dict[int, int]
    ) -> frozenset[int]:
        """Hands out what was dealt. Who can't have it now may try again."""

        async def hold(number: int) -> OtherTerm | NotDealt | None:
            part, share = parts[number], dealt.shares[number]
            try:
                return await self._live(
                    part, lambda: self._shares.hold(part, dealt.capacity, dealt.term, share)
                )
            except Unavailable:
                return None

        getting = [number for number in wanted if dealt.given[number]]
        told = await asyncio.gather(*map(hold, getting))
        if others := [one.term for one in told if isinstance(one, OtherTerm)]:
            raise _Superseded(max(dealt.term, *others))
        return frozenset(
            number for number, one in zip(getting, told, strict=True) if one is not NotDealt.FINAL
        )

    async def _remind(self, parts: Sequence[str], wanted: dict[int, int]) -> None:
        """After a failover the first shard may have forgotten an occurrence that others know."""
        period = (occurrence_of(parts[0]) or "").partition(":")[0]
        for number in wanted:
            await self._calendar.remind(board_of(parts[number]), period)

    async def _live(self, part: str, ask: Callable[[], Awaitable[T]]) -> T:
        """What is told of a table once its board, or shard, is live."""
        with suppress(BoardCold):
            return await ask()
        try:
            await self._rebuilder.ensure(board_of(part), create=False)
            return await ask()
        except UnknownBoard as error:
            raise Unavailable("The board's shards are being made or removed.") from error
        except BoardCold:
            raise _not_shared() from None


def _fulfilled(dealt: Dealt, wishes: Sequence[int]) -> bool:
    return all(given >= wish for given, wish in zip(dealt.given, wishes, strict=True))


def _not_shared() -> Unavailable:
    return Unavailable("The board's capacity can't be shared out now.", retry_after=1.0)

"""The write path of boards that are spread over shards (domain/shards.py): what is about a user
goes to the user's shard, and what is about users of several goes to all of these at once.

How many shards a board has is remembered. A board with another number than was believed says so, by
its settings, before anything has counted.

Where a shard has no room left for a new user, it gets more of the board's capacity, and what it has
refused is made again, until that is exhausted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from scoreboard.backoff import Backoff
from scoreboard.domain.boards import BoardSettings, board_full
from scoreboard.domain.durability import Durability
from scoreboard.domain.shards import shard_of, sharded_board
from scoreboard.domain.submissions import Result, Submission
from scoreboard.errors import OutcomeUnknown, RetryLater, Unavailable, UnknownBoard

MOST = 10_000  # boards of which the number of shards is remembered
TRIES = 4  # who believed wrong is right the next time, unless the board changes again
UNSETTLED = "The board's shards are being made or removed."
CROWDED = "Too many new users want the room that the board has left."
PATIENCE = 2.0  # seconds for which new users try to get of it
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.2  # seconds
OWN = "-"  # a shard's own table, where there are others


class OnOtherShard(Exception):
    """Nothing was done, since some of the users belong to another one of the board's ``shards``."""

    def __init__(self, shards: int) -> None:
        super().__init__(shards)
        self.shards = shards


class LacksRoom(Exception):
    """Nothing was done, since the shard, one of so many, has no room for the user in its own table
    (``-``) or that of an occurrence (``week:12``)."""

    def __init__(self, where: str, shards: int) -> None:
        super().__init__(where)
        self.where, self.shards = where, shards


def belong_to(shard: str, settings: BoardSettings, users: Iterable[str]) -> bool:
    """Whether all users belong to this shard of a board with such settings."""
    shards = settings.shard_count
    if shards == 1:
        return True
    board = sharded_board(shard)
    return all(shard_of(board, user, shards) == shard for user in users)


class Submits(Protocol):
    """Submits actions to one shard, or to a board without any. Implemented in submitter.py, which
    imports this module by way of board_calls.py."""

    async def submit(
        self,
        board: str,
        submissions: Sequence[Submission],
        *,
        create: bool,
        durability: Durability = Durability.REDIS,
    ) -> tuple[list[Result], Durability]:
        """See Submitter. Raises OnOtherShard, too."""


class Joins(Protocol):
    """Lets users into one shard, or into a board without any. Implemented in joiner.py, which
    imports this module likewise."""

    async def join(self, board: str, user: str) -> None:
        """See Joiner. Raises OnOtherShard and LacksRoom, too."""


class SharesCapacity(Protocol):
    """Has a board's capacity shared out. Implemented in workers/shared_capacity.py."""

    async def more(self, part: str, shards: int, users: int) -> bool:
        """Gets a shard, in its part of a table, room for so many more users, or for as many as
        there is any for. False when the board is full. With True others may still take it first.
        Raises Unavailable."""


class _Shards:
    """How many shards boards have, as they told last."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, board: str) -> int:
        """1 for a board of which nothing else was told."""
        return self._known.get(board, 1)

    def learn(self, board: str, believed: int, told: OnOtherShard | UnknownBoard) -> None:
        """Takes over what an attempt was ``told`` that believed in so many shards. Raises it when
        to try again is of no use."""
        if isinstance(told, OnOtherShard):
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[board] = told.shards
        elif believed == 1:
            raise told
        else:
            self._known.pop(board, None)  # it is another board by now, or none


class ShardedSubmitter:
    """Submits actions to boards, whether they have shards or not."""

    def __init__(self, submitter: Submits, capacity: SharesCapacity) -> None:
        self._submitter = submitter
        self._capacity = capacity
        self._shards = _Shards()

    async def submit(
        self,
        board: str,
        submissions: Sequence[Submission],
        *,
        create: bool,
        durability: Durability = Durability.REDIS,
    ) -> tuple[list[Result], Durability]:
        """The result of each submission (1 to 1,000), in order, and the durability reached by all.
        ``create`` lets the first accepted action bring a board without shards into being. Raises
        UnknownBoard, Unavailable (nothing was written) or OutcomeUnknown, also when some shards
        have written and others have not."""
        for _ in range(TRIES):
            shards = self._shards.of(board)
            try:
                if shards == 1:
                    return await self._submit(board, submissions, durability, create=create)
                return await self._spread(board, shards, submissions, durability)
            except (OnOtherShard, UnknownBoard) as told:
                self._shards.learn(board, shards, told)
        raise Unavailable(UNSETTLED)

    async def _spread(
        self, board: str, shards: int, submissions: Sequence[Submission], durability: Durability
    ) -> tuple[list[Result], Durability]:
        places: dict[str, list[int]] = {}
        for at, submission in enumerate(submissions):
            shard = shard_of(board, submission.action.user_id, shards)
            places.setdefault(shard, []).append(at)
        if len(places) == 1:
            return await self._submit(next(iter(places)), submissions, durability)
        answers = await asyncio.gather(
            *(
                self._submit(shard, [submissions[at] for at in there], durability)
                for shard, there in places.items()
            ),
            return_exceptions=True,
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures:
            raise _together(failures, some_counted=len(failures) < len(answers))
        by_place: dict[int, Result] = {}
        reached = durability
        for there, answer in zip(places.values(), answers, strict=True):
            assert not isinstance(answer, BaseException)
            by_place.update(zip(there, answer[0], strict=True))
            reached = reached if answer[1] is durability else answer[1]
        return [by_place[at] for at in range(len(submissions))], reached

    async def _submit(
        self,
        shard: str,
        submissions: Sequence[Submission],
        durability: Durability,
        *,
        create: bool = False,
    ) -> tuple[list[Result], Durability]:
        """Submits to one shard, and again what it has no room for, once it has got some."""
        results, reached = await self._submitter.submit(
            shard, submissions, create=create, durability=durability
        )
        tries = _Tries()
        full: set[str] = set()  # where the board is
        while again := [at for at, one in enumerate(results) if _lacks_room(one, full)]:
            try:
                await tries.next()
                full |= await self._without_more(
                    shard, [(submissions[at], results[at]) for at in again]
                )
                again = [at for at in again if _lacks_room(results[at], full)]
                if not again:
                    break
                others, also = await self._submitter.submit(
                    shard, [submissions[at] for at in again], create=False, durability=durability
                )
            except RetryLater as error:
                some = any(one.lacks_room is None for one in results)
                raise _together([error], some_counted=some) from error
            for at, result in zip(again, others, strict=True):
                results[at] = result
            reached = reached if also is durability else also
        return results, reached

    async def _without_more(
        self, shard: str, lacking: Sequence[tuple[Submission, Result]]
    ) -> set[str]:
        """Gets the shard room for these. Returns where there is none any more."""
        users: dict[str, set[str]] = {}
        for submission, result in lacking:
            assert result.lacks_room is not None
            users.setdefault(result.lacks_room, set()).add(submission.action.user_id)
        shards = lacking[0][1].shards
        full = set()
        for where, new in users.items():
            if not await self._capacity.more(_part(shard, where), shards, len(new)):
                full.add(where)
        return full


class ShardedJoiner:
    """Lets users into boards, whether they have shards or not."""

    def __init__(self, joiner: Joins, capacity: SharesCapacity) -> None:
        self._joiner = joiner
        self._capacity = capacity
        self._shards = _Shards()

    async def join(self, board: str, user: str) -> None:
        """See Joiner."""
        for _ in range(TRIES):
            shards = self._shards.of(board)
            try:
                return await self._join(shard_of(board, user, shards), user)
            except (OnOtherShard, UnknownBoard) as told:
                self._shards.learn(board, shards, told)
        raise Unavailable(UNSETTLED)

    async def _join(self, shard: str, user: str) -> None:
        tries = _Tries()
        while True:
            try:
                return await self._joiner.join(shard, user)
            except LacksRoom as lack:
                await tries.next()
                if not await self._capacity.more(_part(shard, lack.where), lack.shards, 1):
                    raise board_full() from None


class _Tries:
    """How often somebody asks for room for a new user. Others may take what was got before it is
    used, or have it while they lack what somebody else has got: so all but the first attempts wait
    a moment that is left to chance."""

    def __init__(self) -> None:
        self._deadline = asyncio.get_running_loop().time() + PATIENCE
        self._pause: Backoff | None = None

    async def next(self) -> None:
        """Waits until it is time for another. Raises Unavailable when it has taken too long."""
        if asyncio.get_running_loop().time() > self._deadline:
            raise Unavailable(CROWDED)
        if self._pause is None:
            self._pause = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        else:
            await asyncio.sleep(self._pause.next())


def _lacks_room(result: Result, full: set[str]) -> bool:
    return result.lacks_room is not None and result.lacks_room not in full


def _part(shard: str, where: str) -> str:
    """The name of a shard's own table, or that of an occurrence, as Result.lacks_room has it."""
    return shard if where == OWN else f"{shard}:{where}"


def _together(failures: Sequence[BaseException], *, some_counted: bool) -> BaseException:
    """What failures of some shards mean for all of the actions. With the same attempt ids all may
    be submitted again, so who only has to ask elsewhere may do so though some have counted."""
    for kind in (OnOtherShard, UnknownBoard):
        for failure in failures:
            if isinstance(failure, kind):
                return failure
    unforeseen = [one for one in failures if not isinstance(one, RetryLater)]
    if unforeseen or not some_counted:
        unknown = [one for one in failures if isinstance(one, OutcomeUnknown)]
        return (unforeseen or unknown or failures)[0]
    return OutcomeUnknown("Some of the actions counted. Others may not have: send all again.")

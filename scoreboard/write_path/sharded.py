"""The write path of boards that are spread over shards (domain/shards.py): what is about a user
goes to the user's shard, and what is about users of several goes to all of these at once.

How many shards a board has is remembered. A board with another number than was believed says so, by
its settings, before anything has counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import structs

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.durability import Durability
from scoreboard.domain.shards import shard_of, sharded_board
from scoreboard.domain.submissions import Result, Submission
from scoreboard.errors import OutcomeUnknown, RetryLater, Unavailable, UnknownBoard

MOST = 10_000  # boards of which the number of shards is remembered
TRIES = 4  # who believed wrong is right the next time, unless the board changes again
UNSETTLED = "The board's shards are being made or removed."


class OnOtherShard(Exception):
    """Nothing was done, since some of the users belong to another one of the board's ``shards``."""

    def __init__(self, shards: int) -> None:
        super().__init__(shards)
        self.shards = shards


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
        """See Joiner. Raises OnOtherShard, too."""


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

    def __init__(self, submitter: Submits) -> None:
        self._submitter = submitter
        self._shards = _Shards()

    async def submit(
        self,
        board: str,
        submissions: Sequence[Submission],
        *,
        create: bool,
        durability: Durability = Durability.REDIS,
    ) -> tuple[list[Result], Durability]:
        """The result of each submission (1 to 1,000), in order, and the durability reached by all;
        of a board with shards without ranks.
        ``create`` lets the first accepted action bring a board without shards into being. Raises
        UnknownBoard, Unavailable (nothing was written) or OutcomeUnknown, also when some shards
        have written and others have not."""
        for _ in range(TRIES):
            shards = self._shards.of(board)
            try:
                if shards == 1:
                    return await self._submitter.submit(
                        board, submissions, create=create, durability=durability
                    )
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
            results, reached = await self._submitter.submit(
                next(iter(places)), submissions, create=False, durability=durability
            )
            return list(map(_without_rank, results)), reached
        answers = await asyncio.gather(
            *(
                self._submitter.submit(
                    shard, [submissions[at] for at in there], create=False, durability=durability
                )
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
            by_place.update(zip(there, map(_without_rank, answer[0]), strict=True))
            reached = reached if answer[1] is durability else answer[1]
        return [by_place[at] for at in range(len(submissions))], reached


class ShardedJoiner:
    """Lets users into boards, whether they have shards or not."""

    def __init__(self, joiner: Joins) -> None:
        self._joiner = joiner
        self._shards = _Shards()

    async def join(self, board: str, user: str) -> None:
        """See Joiner."""
        for _ in range(TRIES):
            shards = self._shards.of(board)
            try:
                return await self._joiner.join(shard_of(board, user, shards), user)
            except (OnOtherShard, UnknownBoard) as told:
                self._shards.learn(board, shards, told)
        raise Unavailable(UNSETTLED)


def _without_rank(result: Result) -> Result:
    """The shard knows the rank among its own users alone."""
    if result.rank is None and not result.periods:
        return result
    periods = tuple(structs.replace(move, rank=None) for move in result.periods)
    return structs.replace(result, rank=None, periods=periods)


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

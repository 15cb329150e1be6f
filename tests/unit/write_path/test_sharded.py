"""What becomes of a call whose actions belong to several shards when some of these fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.durability import Durability
from scoreboard.domain.shards import shard_of
from scoreboard.domain.submissions import Outcome, Result, Submission
from scoreboard.errors import OutcomeUnknown, Unavailable, UnknownBoard
from scoreboard.write_path.sharded import OnOtherShard, ShardedSubmitter

REDIS, REPLICA = Durability.REDIS, Durability.REPLICA
USERS = [f"u{n}" for n in range(20)]


class Shards:
    """Stands in for a submitter of a board with ``number`` shards, and for who shares out the
    ``left`` room that it has. ``failing`` are errors of shards, and ``reached`` what is less
    durable than was asked for."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.failing: dict[str, Exception] = {}
        self.reached: dict[str, Durability] = {}
        self.asked: list[str] = []
        self.room: Counter[str] = Counter({"arena": 1_000})
        self.crowded, self.left = False, 0
        self.shared_out: Exception | None = None

    async def more(self, part: str, shards: int, users: int) -> bool:
        assert shards == self.number
        if self.shared_out is not None:
            raise self.shared_out
        given = min(users, self.left)
        self.left -= given
        self.room[part] += given
        return given > 0

    async def submit(
        self,
        board: str,
        submissions: Sequence[Submission],
        *,
        create: bool,
        durability: Durability = REDIS,
    ) -> tuple[list[Result], Durability]:
        self.asked.append(board)
        if board in self.failing:
            raise self.failing[board]
        users = [submission.action.user_id for submission in submissions]
        if self.number > 1 and any(shard_of("arena", one, self.number) != board for one in users):
            raise OnOtherShard(self.number)
        if "." in board and self.number == 1:
            raise UnknownBoard("There is none.")
        return [self._result(board, user) for user in users], self.reached.get(board, durability)

    def _result(self, board: str, user: str) -> Result:
        if self.crowded and not self.room[board]:
            return Result(Outcome.BOARD_FULL, lacks_room="-", shards=self.number)
        self.room[board] -= 1
        return Result(Outcome.ACCEPTED, score=int(user[1:]), rank=1)


@pytest.fixture
def shards() -> Shards:
    return Shards(4)


def of(users: Sequence[str]) -> list[Submission]:
    return [Submission(ScoreAction(user, "a1", 1), user, 0, 0) for user in users]


async def submit(
    submitter: ShardedSubmitter, **changed: Any
) -> tuple[list[int | None], Durability]:
    submissions = of(USERS)
    given: dict[str, Any] = {"create": False, "durability": REDIS} | changed
    results, reached = await submitter.submit("arena", submissions, **given)
    return [result.score for result in results], reached


async def test_results_come_in_the_order_of_the_actions(shards: Shards) -> None:
    submitter = ShardedSubmitter(shards, shards)
    for _ in range(2):
        assert await submit(submitter) == ([*range(20)], REDIS)
    assert shards.asked.count("arena.3") == 2
    assert shards.asked.count("arena") == 3  # the first time it told how many shards there are


async def test_all_are_as_durable_as_the_least_durable(shards: Shards) -> None:
    shards.reached["arena.2"] = REDIS
    assert (await submit(ShardedSubmitter(shards, shards), durability=REPLICA))[1] is REDIS
    shards.reached.clear()
    assert (await submit(ShardedSubmitter(shards, shards), durability=REPLICA))[1] is REPLICA


async def test_who_can_not_know_whether_all_counted_is_told_so(shards: Shards) -> None:
    shards.failing["arena.1"] = Unavailable("away")
    with pytest.raises(OutcomeUnknown):
        await submit(ShardedSubmitter(shards, shards))


async def test_nothing_was_written_when_all_shards_say_so(shards: Shards) -> None:
    for shard in ("arena.1", "arena.2", "arena.3"):
        shards.failing[shard] = Unavailable("away")
    submitter = ShardedSubmitter(shards, shards)
    with pytest.raises(OutcomeUnknown):
        await submit(submitter)
    shards.failing["arena"] = Unavailable("away")
    with pytest.raises(Unavailable):
        await submit(submitter)
    shards.failing["arena"] = OutcomeUnknown("lost")
    with pytest.raises(OutcomeUnknown):
        await submit(submitter)


async def test_a_board_that_has_other_shards_now_is_found(shards: Shards) -> None:
    submitter = ShardedSubmitter(shards, shards)
    await submit(submitter)
    for number in (8, 1, 2):
        shards.number = number
        assert await submit(submitter) == ([*range(20)], REDIS)


async def test_calls_at_the_same_time_find_a_board_that_has_no_shards_any_more(
    shards: Shards,
) -> None:
    submitter = ShardedSubmitter(shards, shards)
    await submit(submitter)
    shards.number = 1
    first, second = await asyncio.gather(submit(submitter), submit(submitter))
    assert first == second == ([*range(20)], REDIS)


async def test_only_a_board_without_shards_comes_into_being_by_an_action(shards: Shards) -> None:
    submitter = ShardedSubmitter(shards, shards)
    await submit(submitter)
    shards.failing["arena.1"] = UnknownBoard("There is none.")
    with pytest.raises(Unavailable):
        await submit(submitter)
    shards.failing["arena"] = UnknownBoard("There is none.")
    with pytest.raises(UnknownBoard):
        await submit(submitter)


async def test_who_finds_no_room_on_a_shard_gets_of_what_the_board_has_left(
    shards: Shards,
) -> None:
    shards.crowded, shards.left = True, 15
    shards.room.clear()
    submitter = ShardedSubmitter(shards, shards)
    results, _ = await submitter.submit("arena", of(USERS), create=False)
    told = Counter(result.outcome for result in results)
    assert told == {Outcome.ACCEPTED: 15, Outcome.BOARD_FULL: 5}
    scores = [(result.score, n) for n, result in enumerate(results) if result.score is not None]
    assert all(score == n for score, n in scores), "each in the place of its action"


async def test_the_first_shard_has_no_room_of_its_own_even_for_who_knows_of_no_others(
    shards: Shards,
) -> None:
    shards.crowded, shards.left = True, 1
    shards.room.clear()
    ours = [user for user in USERS if shard_of("arena", user, 4) == "arena"][:2]
    results, _ = await ShardedSubmitter(shards, shards).submit("arena", of(ours), create=False)
    assert [result.outcome for result in results] == [Outcome.ACCEPTED, Outcome.BOARD_FULL]


async def test_nobody_knows_what_counted_when_room_for_the_others_can_not_be_had(
    shards: Shards,
) -> None:
    shards.crowded, shards.shared_out = True, Unavailable("away")
    shards.room = Counter({"arena": 1})
    ours = [user for user in USERS if shard_of("arena", user, 4) == "arena"]
    submitter = ShardedSubmitter(shards, shards)
    with pytest.raises(OutcomeUnknown):
        await submitter.submit("arena", of(ours), create=False)
    with pytest.raises(Unavailable):
        await submitter.submit("arena", of(ours), create=False)

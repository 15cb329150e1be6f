"""What becomes of a call whose actions belong to several shards when some of these fail."""

from __future__ import annotations

import asyncio
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
    """Stands in for a submitter of a board with ``number`` shards. ``failing`` are errors of
    shards, and ``reached`` what is less durable than was asked for."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.failing: dict[str, Exception] = {}
        self.reached: dict[str, Durability] = {}
        self.asked: list[str] = []

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
        results = [Result(Outcome.ACCEPTED, score=int(user[1:]), rank=1) for user in users]
        return results, self.reached.get(board, durability)


@pytest.fixture
def shards() -> Shards:
    return Shards(4)


async def submit(
    submitter: ShardedSubmitter, **changed: Any
) -> tuple[list[int | None], Durability]:
    submissions = [Submission(ScoreAction(user, "a1", 1), user, 0, 0) for user in USERS]
    given: dict[str, Any] = {"create": False, "durability": REDIS} | changed
    results, reached = await submitter.submit("arena", submissions, **given)
    return [result.score for result in results], reached


async def test_results_come_in_the_order_of_the_actions(shards: Shards) -> None:
    submitter = ShardedSubmitter(shards)
    for _ in range(2):
        assert await submit(submitter) == ([*range(20)], REDIS)
    assert shards.asked.count("arena.3") == 2
    assert shards.asked.count("arena") == 3  # the first time it told how many shards there are


async def test_the_rank_among_the_users_of_a_shard_is_told_to_nobody(shards: Shards) -> None:
    submission = Submission(ScoreAction("u1", "a1", 1), "t", 0, 0)
    for number, rank in ((4, None), (1, 1)):
        shards.number = number
        (result,), _ = await ShardedSubmitter(shards).submit("arena", [submission], create=False)
        assert result.rank == rank


async def test_all_are_as_durable_as_the_least_durable(shards: Shards) -> None:
    shards.reached["arena.2"] = REDIS
    assert (await submit(ShardedSubmitter(shards), durability=REPLICA))[1] is REDIS
    shards.reached.clear()
    assert (await submit(ShardedSubmitter(shards), durability=REPLICA))[1] is REPLICA


async def test_who_can_not_know_whether_all_counted_is_told_so(shards: Shards) -> None:
    shards.failing["arena.1"] = Unavailable("away")
    with pytest.raises(OutcomeUnknown):
        await submit(ShardedSubmitter(shards))


async def test_nothing_was_written_when_all_shards_say_so(shards: Shards) -> None:
    for shard in ("arena.1", "arena.2", "arena.3"):
        shards.failing[shard] = Unavailable("away")
    submitter = ShardedSubmitter(shards)
    with pytest.raises(OutcomeUnknown):
        await submit(submitter)
    shards.failing["arena"] = Unavailable("away")
    with pytest.raises(Unavailable):
        await submit(submitter)
    shards.failing["arena"] = OutcomeUnknown("lost")
    with pytest.raises(OutcomeUnknown):
        await submit(submitter)


async def test_a_board_that_has_other_shards_now_is_found(shards: Shards) -> None:
    submitter = ShardedSubmitter(shards)
    await submit(submitter)
    for number in (8, 1, 2):
        shards.number = number
        assert await submit(submitter) == ([*range(20)], REDIS)


async def test_calls_at_the_same_time_find_a_board_that_has_no_shards_any_more(
    shards: Shards,
) -> None:
    submitter = ShardedSubmitter(shards)
    await submit(submitter)
    shards.number = 1
    first, second = await asyncio.gather(submit(submitter), submit(submitter))
    assert first == second == ([*range(20)], REDIS)


async def test_only_a_board_without_shards_comes_into_being_by_an_action(shards: Shards) -> None:
    submitter = ShardedSubmitter(shards)
    await submit(submitter)
    shards.failing["arena.1"] = UnknownBoard("There is none.")
    with pytest.raises(Unavailable):
        await submit(submitter)
    shards.failing["arena"] = UnknownBoard("There is none.")
    with pytest.raises(UnknownBoard):
        await submit(submitter)

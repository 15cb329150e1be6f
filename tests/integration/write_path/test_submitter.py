"""The write path's gathering: many posters, few calls, each with its own answer."""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.submissions import Outcome, Result, Submission
from scoreboard.errors import OutcomeUnknown, Unavailable, UnknownBoard
from scoreboard.telemetry.sparing_log import SparingLog
from scoreboard.wire.keys import Keyspace
from scoreboard.write_path import board_calls, submitter
from tests.support.arena import Arena
from tests.support.servers import each_server
from tests.support.waiting import wait_until


async def calls(redis: Redis) -> int:
    """How many scripts Redis has run."""
    told = [await server.info("commandstats") for server in await each_server(redis)]
    return sum(int(stats.get("cmdstat_evalsha", {}).get("calls", 0)) for stats in told)


async def test_64_concurrent_posters_cost_a_few_calls(arena: Arena, redis: Redis) -> None:
    await arena.submit(("first", "makes the board", 0))
    before = await calls(redis)
    results = await asyncio.gather(*(arena.submit((f"user{n}", "a1", n)) for n in range(64)))

    assert [result.score for [result] in results] == list(range(64))
    assert await calls(redis) - before <= 3


async def test_a_lone_action_waits_for_nobody_and_costs_one_call(
    arena: Arena, redis: Redis
) -> None:
    await arena.submit(("ann", "makes the board", 0))
    before = await calls(redis)
    await arena.submit(("ann", "a1", 5))

    assert await calls(redis) - before == 1


async def test_actions_count_in_the_order_of_their_arrival(arena: Arena) -> None:
    await arena.submit(("ann", "makes the board", 0))
    results = await asyncio.gather(*(arena.submit(("ann", f"a{n}", 1)) for n in range(200)))

    assert [result.score for [result] in results] == list(range(1, 201))


async def test_a_users_answered_actions_are_in_order_whoever_a_batch_names_first(
    arena: Arena,
) -> None:
    others = [name for n in range(20) if hash(name := f"other{n}") % 2 != hash("ann") % 2]
    assert len(others) > 1, "batches of these go into the lane that ann's own posts do not take"
    scores = []
    for n, other in enumerate(others):
        [own] = await arena.submit(("ann", f"own {n}", 1))
        _, batched = await arena.submit((other, f"b {n}", 1), ("ann", f"batched {n}", 1))
        scores += [own.score, batched.score]

    assert scores == list(range(1, 2 * len(others) + 1))


async def test_requests_of_one_user_that_are_under_way_together_count_each_once(
    arena: Arena,
) -> None:
    await arena.submit(("ann", "makes the board", 0))
    answers = await asyncio.gather(
        *(arena.submit((f"other{n}", f"b {n}", 1), ("ann", f"batched {n}", 1)) for n in range(100)),
        *(arena.submit(("ann", f"own {n}", 1)) for n in range(100)),
    )

    assert sorted(results[-1].score or 0 for results in answers) == list(range(1, 201))


async def test_a_batch_stays_together_among_others(arena: Arena) -> None:
    await arena.submit(("ann", "makes the board", 0))
    batches = [[("ann", f"batch {b}, {n}", 1) for n in range(300)] for b in range(8)]
    results = await asyncio.gather(*(arena.submit(*batch) for batch in batches))

    scores = [result.score for batch in results for result in batch]
    assert scores == list(range(1, 8 * 300 + 1))


async def test_a_board_does_not_wait_for_another(arena: Arena) -> None:
    await arena.submit(("ann", "makes the board", 0))
    action = Submission(ScoreAction("ann", "a1", 5), "attempt", 0, 0)
    other = board_of_another_partition(arena)
    async with arena.durable.ledger.locked(Keyspace(8).partition_of(other)):
        waiting = asyncio.create_task(arena.submitter.submit(other, [action], create=True))
        [result] = await arena.submit(("ann", "a1", 5))
        assert result.score == 5
        assert not waiting.done()
    results, _ = await waiting
    assert results[0].score == 5


def board_of_another_partition(arena: Arena) -> str:
    names = (f"board-{n}" for n in itertools.count())
    return next(name for name in names if Keyspace(8).partition_of(name) != arena.keys.partition)


async def taken(arena: Arena, action: tuple[str, str, int]) -> Result:
    """The result, once the lane's next call has begun."""

    async def result() -> Result | None:
        try:
            return (await arena.submit(action))[0]
        except Unavailable:
            return None

    found = await wait_until(result, description="a call is made")
    assert found is not None
    return found


async def test_when_memory_lacks_behind_a_call_nobody_is_told_that_nothing_counted(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks_memory(*_: Any) -> Any:
        raise MemoryError

    await arena.submit(("ann", "makes the board", 0))
    with monkeypatch.context() as patched:
        patched.setattr(submitter, "parse_reply", lacks_memory)
        with pytest.raises(OutcomeUnknown):
            await arena.submit(("ann", "a1", 5))

    again = await taken(arena, ("ann", "a1", 5))
    assert (again.outcome, again.score) == (Outcome.DUPLICATE, 5)


async def test_when_memory_lacks_before_a_call_nothing_is_written(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks_memory(*_: Any, **__: Any) -> Any:
        raise MemoryError

    await arena.submit(("ann", "makes the board", 0))
    with monkeypatch.context() as patched:
        patched.setattr(submitter, "submit_scores", lacks_memory)
        with pytest.raises(Unavailable):
            await arena.submit(("ann", "a1", 5))

    first = await taken(arena, ("ann", "a1", 5))
    assert (first.outcome, first.score) == (Outcome.ACCEPTED, 5)


async def test_an_error_reaches_all_who_wait_and_the_next_call_works(
    arena: Arena, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitter, "log", SparingLog("test", period=math.inf))
    await arena.submit(("ann", "a1", 5))
    aside = f"{arena.keys.board}:aside"
    await redis.rename(arena.keys.board, aside)
    await redis.set(arena.keys.board, "no zset")
    with capture_logs() as logged:
        outcomes = await asyncio.gather(
            *(arena.submit(("ann", f"b{n}", 1)) for n in range(5)), return_exceptions=True
        )
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        with pytest.raises(Unavailable):
            await arena.submit(("ann", "c1", 1))
    assert [line["event"] for line in logged].count("submit_script_failed") == 1

    await redis.rename(aside, arena.keys.board)
    [result] = await arena.submit(("ann", "d1", 1))
    assert result.score == 6, "nothing of the failed calls was written"


async def test_a_lane_has_a_longest_queue(
    arena: Arena, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitter, "MAX_QUEUED", 10)
    await arena.submit(("ann", "makes the board", 0))
    outcomes = await asyncio.gather(
        *(arena.submit(("ann", f"a{n}", 1)) for n in range(30)), return_exceptions=True
    )

    refused = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
    assert len(refused) == 20
    assert (await arena.totals())["ann"] == 10


async def test_a_write_waits_a_moment_for_a_board_and_is_then_told_to_come_back(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_calls, "PATIENCE", 0.05)
    async with arena.durable.ledger.locked(arena.keys.partition):  # nobody can rebuild meanwhile
        with pytest.raises(Unavailable) as refusal:
            await arena.submit(("ann", "a1", 5))
    assert refusal.value.retry_after == 2

    await taken(arena, ("ann", "a1", 5))
    assert await arena.totals() == {"ann": 5}


async def test_who_may_not_make_a_board_never_makes_one(arena: Arena) -> None:
    action = Submission(ScoreAction("ann", "a1", 5), "attempt", 0, 0)
    with pytest.raises(UnknownBoard):
        await arena.submitter.submit("other", [action], create=False)
    assert not await arena.durable.ledger.knows("other")


async def test_who_leaves_before_the_call_begins_leaves_nothing_to_do(arena: Arena) -> None:
    await arena.submit(("ann", "makes the board", 0))
    posts = [asyncio.create_task(arena.submit(("ann", f"a{n}", 1))) for n in range(3)]
    await asyncio.sleep(0)
    posts[1].cancel()
    await asyncio.wait(posts)

    assert [post.cancelled() for post in posts] == [False, True, False]
    assert await arena.totals() == {"ann": 2}


async def test_a_lane_whose_task_is_cancelled_answers_all_who_wait_and_the_next_call_works(
    arena: Arena,
) -> None:
    await arena.submit(("ann", "makes the board", 0))
    for turns in range(4):  # before the task has begun, and later and later in its work
        posts = [asyncio.create_task(arena.submit(("ann", f"{turns}-{n}", 1))) for n in range(3)]
        await asyncio.sleep(0)
        [lane] = arena.submitter._lanes.values()
        for _ in range(turns):
            await asyncio.sleep(0)
        assert lane.task is not None
        lane.task.cancel()
        answers = await asyncio.gather(*posts, return_exceptions=True)
        assert {type(answer) for answer in answers} <= {Unavailable, OutcomeUnknown}

        [result] = await arena.submit(("bob", f"after {turns}", 1))
        assert result.outcome is Outcome.ACCEPTED
    await wait_until(lambda: not arena.submitter._lanes, description="no lane is left")

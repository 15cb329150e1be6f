"""A server that takes connections and commands and says nothing: everybody is told in time, however
many there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from scoreboard.errors import OutcomeUnknown, Unavailable
from scoreboard.local.embedded_servers import Valkey
from scoreboard.redisio import line_pool
from scoreboard.redisio.script_line import ScriptLine
from scoreboard.settings import Settings
from tests.support.frozen import frozen
from tests.support.parts import LINES, Parts
from tests.support.waiting import PATIENCE, wait_until

TIMEOUT = 0.5
AT_ONCE = 100
# Far less than the timeouts of all one after the other, and far more than a few of them.
BOUND = AT_ONCE / LINES * TIMEOUT / 2


@pytest.fixture
async def parts(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[Parts]:
    parts = Parts(msgspec.structs.replace(settings, redis_timeout=TIMEOUT), pool)
    await wait_until(lambda: posted(parts, "board", "first"), description="the board is live")
    yield parts
    await parts.submitter.close()
    await parts.reads.close()
    await parts.redis.aclose()
    await parts.blocking.aclose()


async def posted(parts: Parts, board: str, action: str) -> bool:
    try:
        await parts.submit(board, (action, action, 1))
    except (Unavailable, OutcomeUnknown):
        return False
    return True


async def test_reads_do_not_wait_for_one_another(parts: Parts, valkey: Valkey) -> None:
    with frozen(valkey):
        async with asyncio.timeout(BOUND):
            answers = await asyncio.gather(
                *(parts.live.standings("board", ["ann"]) for _ in range(AT_ONCE)),
                return_exceptions=True,
            )
    assert {type(answer) for answer in answers} == {Unavailable}


async def test_posts_to_many_boards_do_not_wait_for_one_another(
    parts: Parts, valkey: Valkey
) -> None:
    with frozen(valkey):
        async with asyncio.timeout(BOUND):
            counted = await asyncio.gather(
                *(posted(parts, f"board{number}", "a") for number in range(AT_ONCE))
            )
    assert not any(counted)


async def test_posts_of_one_board_do_not_wait_for_calls_that_would_fail_like_the_first(
    parts: Parts, valkey: Valkey
) -> None:
    """They would fill many calls, each with a timeout of its own."""
    with frozen(valkey):
        async with asyncio.timeout(BOUND):
            outcomes = await asyncio.gather(
                *(
                    parts.submit("board", *((f"u{n}", f"{n}-{m}", 1) for m in range(100)))
                    for n in range(AT_ONCE)
                ),
                return_exceptions=True,
            )
    told = [type(outcome) for outcome in outcomes]
    assert set(told) == {OutcomeUnknown, Unavailable}
    assert told.count(OutcomeUnknown) <= LINES, "of the rest nothing was sent"
    await wait_until(lambda: posted(parts, "board", "later"), description="posts count again")


async def test_reads_right_after_one_that_got_no_answer_do_not_wait_as_well(
    parts: Parts, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that reads several things would wait for each of them."""
    monkeypatch.setattr(line_pool, "PAUSE", 10 * PATIENCE)
    with frozen(valkey):
        with pytest.raises(Unavailable):
            await parts.live.description("board")
        sent, run = [], ScriptLine.run
        monkeypatch.setattr(ScriptLine, "run", lambda *call, **how: sent.append(call))
        for _ in range(AT_ONCE):
            with pytest.raises(Unavailable):
                await parts.live.standings("board", ["ann"])
        assert sent == [], "Redis was asked by the first only"
        monkeypatch.setattr(ScriptLine, "run", run)
    await wait_until(
        lambda: posted(parts, "board", "later"),
        description="who has to have Redis asks it all the same",
    )


async def test_a_moment_after_it_was_silent_redis_is_read_again(
    parts: Parts, valkey: Valkey
) -> None:
    with frozen(valkey), pytest.raises(Unavailable):
        await parts.live.description("board")

    async def read() -> bool:
        try:
            return bool(await parts.live.standings("board", ["first"]))
        except Unavailable:
            return False

    await wait_until(read, description="boards are read from Redis again")


async def test_a_refusal_is_no_silence(parts: Parts) -> None:
    """What is told at once keeps nobody from asking again."""
    lines = await parts.reading.at("any")
    lines.note_failure(lines.deadline())
    lines.check_silence()
    lines.note_failure(lines.deadline() - TIMEOUT)
    with pytest.raises(Unavailable):
        lines.check_silence()

"""503 ``unavailable`` says that nothing was written, so it must not be answered unless that is
sure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NoReturn

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from scoreboard.domain.actions import ScoreAction
from scoreboard.domain.submissions import Submission
from scoreboard.errors import OutcomeUnknown, Unavailable
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.write_path.plain_calls import PlainCalls
from scoreboard.write_path.submitter import Submitter
from scripts.chaos.proxy import Loss, Proxy
from tests.support.stand_ins import no_durability_waits
from tests.support.waiting import PATIENCE, wait_until
from tests.support.whole_service import Service, service

BOARD = "arena"
KEYSPACE = Keyspace(8)
KEYS = KEYSPACE.board(BOARD)


class NoRecovery:
    """A board that can't be made live, as when Postgres is away."""

    async def ensure(self, board: str, *, create: bool) -> None:
        raise Unavailable("Postgres can't be reached.")

    async def agreed(self, *_: object) -> NoReturn:
        raise Unavailable("Postgres can't be reached.")


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[Proxy]:
    proxy = Proxy(int(settings.redis_url.rsplit(":", 1)[1].split("/")[0]))
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
async def submitter(settings: Settings, proxy: Proxy) -> AsyncIterator[Submitter]:
    url = settings.redis_url.replace(f":{proxy.upstream}/", f":{proxy.port}/")
    lines = ScriptLines(topology_at(url), timeout=PATIENCE, most=1)
    submitter = Submitter(
        lines,
        NoRecovery(),
        keyspace=KEYSPACE,
        dedupe_window=60,
        board_idle=0,
        backlog_limit=1000,
        waits=no_durability_waits(),
        judged=PlainCalls(KEYSPACE),
        calendar=NoRecovery(),
    )
    yield submitter
    await submitter.close()
    await lines.close()


@pytest.fixture
async def board(settings: Settings) -> AsyncIterator[Service]:
    """The board is live, and Redis knows the script."""
    async with service(settings, default_board=BOARD) as running:
        yield running


async def post(submitter: Submitter, action: str) -> None:
    submission = Submission(ScoreAction("ann", action, 5), f"attempt of {action}", 0, 0)
    await submitter.submit(BOARD, [submission], create=False)


async def score(redis: Redis) -> float | None:
    return await redis.zscore(KEYS.board, "ann")


async def made(redis: Redis) -> bool:
    return bool(await redis.exists(KEYS.meta))


async def test_a_board_that_can_not_be_made_live_has_nothing_written(
    submitter: Submitter, redis: Redis
) -> None:
    with pytest.raises(Unavailable):
        await post(submitter, "a1")
    assert await score(redis) is None


async def test_an_action_that_counted_before_its_board_went_cold_is_not_called_unwritten(
    submitter: Submitter, proxy: Proxy, board: Service, redis: Redis, redis_url: str
) -> None:
    """The script runs, its reply is lost and Redis forgets the board before the script comes
    again: the board can't be made live, but the first sending may have counted."""
    await wait_until(lambda: made(redis), description="the default board is live")
    await post(submitter, "before")

    def lose_and_forget() -> Loss | None:
        proxy.judge = lambda: None
        with BlockingRedis.from_url(redis_url) as other:
            other.delete(KEYS.meta)
        return Loss.RESET

    proxy.judge = lose_and_forget
    with pytest.raises(OutcomeUnknown):
        await post(submitter, "a1")
    total = await score(redis)
    assert total is not None
    assert int(total) == 10, "it had counted"


async def test_a_script_that_is_sent_again_is_answered_as_the_first_time(
    submitter: Submitter, proxy: Proxy, board: Service, redis: Redis
) -> None:
    await wait_until(lambda: made(redis), description="the default board is live")
    lost: list[Loss] = []

    def lose_once() -> Loss | None:
        if lost:
            return None
        lost.append(Loss.RESET)
        return Loss.RESET

    await post(submitter, "before")
    proxy.judge = lose_once
    submission = Submission(ScoreAction("ann", "a1", 5), "an attempt", 0, 0)
    [result], _ = await submitter.submit(BOARD, [submission], create=False)
    assert (result.outcome.name, result.score) == ("ACCEPTED", 10)
    assert lost == [Loss.RESET]

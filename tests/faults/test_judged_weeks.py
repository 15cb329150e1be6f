"""Whatever goes wrong while weeks are judged, in the end each has its case, once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from scoreboard.pg import judged_weeks, turns
from scoreboard.pg.pool import open_pool
from scoreboard.redisio import user_memories
from scoreboard.settings import Settings
from scoreboard.workers import week_keeper
from tests.support.every_await import EVERY_FAULT
from tests.support.faulty_awaits import Fault, FaultyAwaits, Place
from tests.support.in_between import leading_to
from tests.support.weeks_played import Weeks, weeks_played

SEED = 27
USERS = [f"user{number}" for number in range(5)]
KILLS = 30 if EVERY_FAULT else 3


@pytest.fixture
async def weeks(settings: Settings, redis: Redis, database_url: str) -> AsyncIterator[Weeks]:
    """All users but the last have padded their weeks. What is found of some is lost with Redis's
    memories, and found again in the ledger."""
    pool = await open_pool(database_url, connections=10, timeout=30)
    async with weeks_played(settings, redis, pool) as played:
        for user in USERS[:-1]:
            await played.play_padded(user)
        await played.play_ordinary(USERS[-1])
        await played.arena.persist()
        for user in USERS[::2]:
            await redis.delete(played.arena.keys.profile(user.encode()))
        yield played
    await pool.close()


async def begin_anew(weeks: Weeks) -> None:
    await weeks.pool.execute("TRUNCATE judged_week")
    await weeks.pool.execute("DELETE FROM review")


async def under_way(weeks: Weeks) -> int:
    """How many passes through a board are."""
    return int(await weeks.pool.fetchval("SELECT count(passing) FROM judged_week"))


def faults_of(place: Place) -> Sequence[Fault]:
    """One of both, drawn for the place, unless all shall be tried."""
    faults = [*Fault]
    return faults if EVERY_FAULT else [random.Random(f"{SEED} {place}").choice(faults)]


async def told(weeks: Weeks) -> list[str]:
    return sorted(case.user_id for case in await weeks.cases())


async def test_at_every_await_an_error_or_a_cancellation_leaves_the_rest_to_the_next(
    weeks: Weeks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(week_keeper, "PAGE", 2)
    awaits = FaultyAwaits()
    with awaits.within(week_keeper, judged_weeks, turns, user_memories), capture_logs():
        await weeks.keeper().judge_all(weeks.now)
        assert await told(weeks) == USERS[:-1]
        for place in [*awaits.reached]:
            for fault in faults_of(place):
                await begin_anew(weeks)
                awaits.set((place, fault))
                judging = asyncio.create_task(weeks.keeper().judge_all(weeks.now))
                await asyncio.gather(judging, return_exceptions=True)
                assert awaits.struck, place
                await weeks.keeper().judge_all(weeks.now)
                await weeks.keeper().judge_all(weeks.now)
                assert await told(weeks) == USERS[:-1], (place, fault)


class Process:
    """A keeper in a process of its own, with all that it says to servers passing through here."""

    def __init__(self, settings: Settings, now: int) -> None:
        self._settings = settings
        self._now = now
        self._process: asyncio.subprocess.Process | None = None
        self._last = 0  # how much it may say until it is killed; 0: all
        self.said = 0

    async def judge(self, *, last: int = 0) -> int:
        """How it ends."""
        self.said, self._last = 0, last
        async with (
            leading_to(self._settings.redis_url, self._heard) as redis_url,
            leading_to(self._settings.database_url, self._heard) as database_url,
        ):
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.support.judge_weeks"),
                *(redis_url, database_url, f"{self._now}"),
            )
            return await self._process.wait()

    def _heard(self) -> bool:
        """Whether the server gets to hear it: the last words, and nothing after them."""
        self.said += 1
        if self.said == self._last and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        return not self._last or self.said <= self._last


async def test_a_process_that_is_killed_between_any_steps_leaves_the_rest_to_the_next(
    weeks: Weeks, settings: Settings
) -> None:
    dice = random.Random(SEED)
    process = Process(settings, weeks.now)
    assert await process.judge() == 0
    assert await told(weeks) == USERS[:-1]
    whole, halfway = process.said, 0
    for _ in range(KILLS):
        await begin_anew(weeks)
        # By then it is connected; what it says last is that the connections end.
        assert await process.judge(last=dice.randrange(whole // 4, whole - 4)) != 0
        halfway += await weeks.pool.fetchval(
            "SELECT count(*) FROM judged_week WHERE passing > week"
        )
        assert await process.judge() == 0
        assert await told(weeks) == USERS[:-1]
    assert halfway, "none was killed amid its work"
    for user in USERS:
        await weeks.act(user, weeks.next_week())
    assert await told(weeks) == USERS[:-1]

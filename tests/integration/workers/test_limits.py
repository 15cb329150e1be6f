"""Attempts and capacity are exact: however many come at once, whatever is lost, whenever they are
set."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.domain.reviews import Filter
from scoreboard.domain.submissions import Outcome
from scoreboard.errors import BoardFull
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.write_path.joiner import Joiner
from tests.support.arena import Arena, opened_arena
from tests.support.differences import differences
from tests.support.moderated_arena import Moderated

POSTS, USERS, SERVERS = 200, 50, 4


@asynccontextmanager
async def servers(
    settings: Settings, redis: Redis, pool: asyncpg.Pool
) -> AsyncIterator[list[Arena]]:
    """Several processes of the service, each with connections of its own."""
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(opened_arena(settings, redis, pool))
            for _ in range(SERVERS)
        ]


async def outcomes(court: Moderated, *actions: tuple[str, str, int]) -> list[Outcome]:
    return [result.outcome for result in await court.arena.submit(*actions)]


async def players(court: Moderated) -> dict[str, float]:
    return await court.arena.zset(court.arena.keys.players)


@pytest.fixture
async def joiner(court: Moderated, settings: Settings) -> AsyncIterator[Joiner]:
    durable = court.arena.durable
    pool = topology_at(settings.redis_url)
    lines = ScriptLines(pool, timeout=settings.redis_timeout, most=SERVERS)
    yield Joiner(
        lines,
        durable.rebuilder,
        durable.calendar,
        keyspace=durable.keyspace,
        backlog_limit=10_000,
    )
    await lines.close()


async def test_exactly_so_many_users_get_in_with_exactly_so_many_attempts(
    court: Moderated, settings: Settings, redis: Redis, pool: asyncpg.Pool
) -> None:
    await court.configure(attempts=2, capacity=20)
    posts = [(f"u{i % USERS}", f"k{i}", 1) for i in range(POSTS)]
    random.Random(7).shuffle(posts)
    async with servers(settings, redis, pool) as several:
        answers = await asyncio.gather(
            *(several[i % SERVERS].submit(post) for i, post in enumerate(posts))
        )
    told = Counter(result.outcome for (result,) in answers)
    in_it = {
        user
        for (user, _, _), (result,) in zip(posts, answers, strict=True)
        if result.outcome is Outcome.ACCEPTED
    }
    assert len(in_it) == 20
    assert told == {
        Outcome.ACCEPTED: 20 * 2,
        Outcome.ATTEMPTS_EXHAUSTED: 20 * (POSTS // USERS - 2),
        Outcome.BOARD_FULL: (USERS - 20) * (POSTS // USERS),
    }
    assert await court.arena.totals() == dict.fromkeys(in_it, 2)


async def test_a_redis_that_was_emptied_or_restarted_knows_who_is_in_and_how_often(
    court: Moderated,
) -> None:
    await court.configure(attempts=2, capacity=2)
    assert await outcomes(court, ("ann", "a1", 5), ("ann", "a2", 5), ("bob", "a1", 5)) == [
        *(Outcome.ACCEPTED,) * 3,
    ]
    for lose in (court.arena.redis.flushall, court.arena.lose_epoch):
        await court.arena.persist()
        await lose()
        assert await outcomes(court, ("ann", "a3", 5), ("cid", "a1", 5)) == [
            *(Outcome.ATTEMPTS_EXHAUSTED, Outcome.BOARD_FULL),
        ]
        assert await players(court) == {"ann": 2, "bob": 1}
    assert await outcomes(court, ("bob", "a2", 5)) == [Outcome.ACCEPTED]


async def test_limits_that_are_set_on_a_board_with_scores_count_what_was_before(
    court: Moderated,
) -> None:
    await outcomes(court, ("ann", "a1", 5), ("ann", "a2", 5), ("bob", "a1", 5))
    await court.configure(attempts=2)
    assert await outcomes(court, ("ann", "a3", 5), ("bob", "a2", 5), ("cid", "a1", 5)) == [
        *(Outcome.ATTEMPTS_EXHAUSTED, Outcome.ACCEPTED, Outcome.ACCEPTED),
    ]
    await court.configure()
    assert await outcomes(court, ("ann", "a4", 5)) == [Outcome.ACCEPTED]
    assert await players(court) == {}, "a board without limits keeps none"
    await court.configure(attempts=4, capacity=2)
    assert await outcomes(court, ("ann", "a5", 5), ("ann", "a6", 5), ("dan", "a1", 5)) == [
        *(Outcome.ACCEPTED, Outcome.ATTEMPTS_EXHAUSTED, Outcome.BOARD_FULL),
    ]


async def test_the_audit_finds_whom_limits_count_wrongly_and_a_repair_sets_it_right(
    court: Moderated, joiner: Joiner, pool: asyncpg.Pool
) -> None:
    await court.configure(attempts=5, capacity=9)
    await outcomes(court, ("ann", "a1", 5), ("ann", "a2", 5), ("bob", "a1", 5))
    await joiner.join("arena", "cy")
    assert await differences(court.arena, pool) == []

    key = court.arena.keys.players
    await court.arena.redis.zadd(key, {"ann": 1, "nobody": 3})
    await court.arena.redis.zrem(key, "bob")
    found = await differences(court.arena, pool)
    assert sorted((one.where, one.user_id, one.expected, one.found) for one in found) == [
        ("players", "ann", "2", "1"),
        ("players", "bob", "1", "nothing"),
        ("players", "nobody", "nothing", "3"),
    ]
    await court.arena.durable.rebuilder.rebuild("arena", correct=True)
    assert await differences(court.arena, pool) == []
    assert await players(court) == {"ann": 2, "bob": 1, "cy": 0}


async def test_a_limit_may_grow_without_a_load(court: Moderated) -> None:
    await court.configure(attempts=1)
    assert await outcomes(court, ("ann", "a1", 5), ("ann", "a2", 5)) == [
        *(Outcome.ACCEPTED, Outcome.ATTEMPTS_EXHAUSTED),
    ]
    before = (await court.arena.meta())["version"]
    await court.configure(attempts=2)
    assert await outcomes(court, ("ann", "a2", 5)) == [Outcome.ACCEPTED]
    assert int((await court.arena.meta())["version"]) == int(before) + 1


async def test_neither_limit_binds_an_approval_but_it_counts(court: Moderated) -> None:
    await court.configure(mode="reject", attempts=1, capacity=1)
    assert await outcomes(court, ("ann", "a1", 100), ("ann", "a2", 5)) == [
        *(Outcome.REFUSED, Outcome.ACCEPTED),
    ]
    await court.arena.persist()
    (case,) = await court.reviews.page(Filter(status="open"), before=None, limit=9)
    await court.moderator.approve(case.id, by="mod", reason="")
    assert await players(court) == {"ann": 2}
    assert await court.arena.totals() == {"ann": 105}


async def test_of_many_who_join_at_once_exactly_so_many_get_in(
    court: Moderated, joiner: Joiner
) -> None:
    await court.configure(join="required", capacity=20)
    users = [f"u{i % USERS}" for i in range(POSTS)]
    answers = await asyncio.gather(
        *(joiner.join("arena", user) for user in users), return_exceptions=True
    )
    let_in = {user for user, answer in zip(users, answers, strict=True) if answer is None}
    assert len(let_in) == 20
    assert await players(court) == dict.fromkeys(let_in, 0)
    told = Counter(type(answer) for answer in answers)
    assert told == {type(None): 20 * (POSTS // USERS), BoardFull: (USERS - 20) * (POSTS // USERS)}


async def test_joins_outlive_redis(court: Moderated, joiner: Joiner) -> None:
    await court.configure(join="required", capacity=2)
    await joiner.join("arena", "ann")
    await joiner.join("arena", "bob")
    assert await outcomes(court, ("bob", "a1", 5), ("cid", "a1", 5)) == [
        *(Outcome.ACCEPTED, Outcome.NOT_JOINED),
    ]
    for lose in (court.arena.redis.flushall, court.arena.lose_epoch):
        await court.arena.persist()
        await lose()
        with pytest.raises(BoardFull):
            await joiner.join("arena", "cid")
        assert await players(court) == {"ann": 0, "bob": 1}
    assert await outcomes(court, ("ann", "a1", 5), ("cid", "a2", 5)) == [
        *(Outcome.ACCEPTED, Outcome.NOT_JOINED),
    ]
    assert await court.database.fetchval("SELECT count(*) FROM dead_event") == 0


async def test_users_with_scores_are_in_when_a_board_wants_users_to_join(court: Moderated) -> None:
    await outcomes(court, ("ann", "a1", 5))
    await court.configure(join="required")
    assert await outcomes(court, ("ann", "a2", 5), ("bob", "a1", 5)) == [
        *(Outcome.ACCEPTED, Outcome.NOT_JOINED),
    ]

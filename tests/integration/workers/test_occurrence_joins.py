"""Who joins a board with periods is in the latest occurrence of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from scoreboard.domain.submissions import Outcome
from scoreboard.errors import BoardClosed, BoardFull
from scoreboard.redisio.line_pool import ScriptLines
from scoreboard.redisio.topologies import topology_at
from scoreboard.settings import Settings
from scoreboard.write_path.joiner import Joiner
from tests.support.moderated_arena import Moderated
from tests.support.occurrences import (
    end_occurrence,
    known_period,
    lasting,
    make_final,
    table_totals,
)

WEEK = lasting("week")
DAY = lasting("day", grace=600)
PERIODS = (WEEK, DAY)
IN_1 = ("arena:week:1", "arena:day:1")


async def configure(court: Moderated, **rules: object) -> None:
    await court.configure(**{"periods": PERIODS, "join": "required"} | rules)


@pytest.fixture
async def joiner(court: Moderated, settings: Settings) -> AsyncIterator[Joiner]:
    durable = court.arena.durable
    lines = ScriptLines(topology_at(settings.redis_url), timeout=settings.redis_timeout, most=4)
    yield Joiner(
        lines,
        durable.rebuilder,
        durable.calendar,
        keyspace=durable.keyspace,
        backlog_limit=10_000,
    )
    await lines.close()


async def players(court: Moderated, *tables: str) -> list[dict[str, int]]:
    return [await table_totals(court.arena, table, "players") for table in tables]


async def outcomes(court: Moderated, *actions: tuple[str, str, int]) -> list[Outcome]:
    return [result.outcome for result in await court.arena.submit(*actions)]


async def test_a_join_opens_the_first_occurrences_and_lets_the_user_play_in_them(
    court: Moderated, joiner: Joiner
) -> None:
    await configure(court)
    await joiner.join("arena", "ann")
    assert await players(court, *IN_1) == [{"ann": 0}, {"ann": 0}]
    assert await table_totals(court.arena, IN_1[0]) == {}, "without a score there is no place"
    told = await outcomes(court, ("ann", "a1", 5), ("bob", "b1", 5))
    assert told == [Outcome.ACCEPTED, Outcome.NOT_JOINED]


async def test_who_is_in_one_occurrence_has_to_join_the_next(
    court: Moderated, joiner: Joiner
) -> None:
    await configure(court)
    await joiner.join("arena", "ann")
    assert await outcomes(court, ("ann", "a1", 5)) == [Outcome.ACCEPTED]
    await end_occurrence(court.arena, "day")
    assert await outcomes(court, ("ann", "a2", 5)) == [Outcome.NOT_JOINED]
    await joiner.join("arena", "ann")
    assert await players(court, *IN_1, "arena:day:2") == [{"ann": 1}, {"ann": 1}, {"ann": 0}]
    assert await outcomes(court, ("ann", "a2", 5)) == [Outcome.ACCEPTED]


async def test_joins_are_kept_with_the_occurrence_and_come_back(
    court: Moderated, joiner: Joiner, database: asyncpg.Connection
) -> None:
    await configure(court)
    await joiner.join("arena", "ann")
    await joiner.join("arena", "ann")
    await end_occurrence(court.arena, "day")
    await joiner.join("arena", "bob")
    await court.arena.persist()
    joined = await database.fetch("SELECT board, user_id FROM board_join ORDER BY 1, 2")
    assert [tuple(row) for row in joined if ":" in row["board"]] == [
        ("arena:day:1", "ann"),
        ("arena:day:2", "bob"),
        ("arena:week:1", "ann"),
        ("arena:week:1", "bob"),
    ]
    tables = (*IN_1, "arena:day:2")
    before = await players(court, *tables)
    await court.arena.redis.flushall()
    await court.arena.durable.rebuilder.ensure("arena", create=False)
    assert await players(court, *tables) == before
    await make_final(court.arena, "day", 1)
    assert await database.fetchval("SELECT users FROM period_occurrence WHERE state = 'final'") == 0


async def test_exactly_so_many_get_into_each_occurrence_however_many_come_at_once(
    court: Moderated, joiner: Joiner
) -> None:
    await configure(court, capacity=5)

    async def got_in(user: str) -> bool:
        try:
            await joiner.join("arena", user)
        except BoardFull:
            return False
        return True

    told = await asyncio.gather(*(got_in(f"u{i}") for i in range(20)))
    assert sum(told) == 5
    for table in IN_1:
        assert len(await table_totals(court.arena, table, "players")) == 5
    await end_occurrence(court.arena, "day")
    assert not await got_in("new"), "the week is full, and it is all or none"
    assert await known_numbers(court) == [1, 1]
    await end_occurrence(court.arena, "week")
    assert await got_in("new")
    assert await known_numbers(court) == [2, 2]


async def known_numbers(court: Moderated) -> list[int]:
    known = [await known_period(court.arena, period.name) for period in PERIODS]
    return [one.latest.number for one in known if one is not None]


async def test_a_closed_board_lets_nobody_in_and_an_open_one_needs_no_join(
    court: Moderated, joiner: Joiner
) -> None:
    await configure(court, closes="2026-01-01T00:00:00Z")
    with pytest.raises(BoardClosed):
        await joiner.join("arena", "ann")
    await configure(court, join="open")
    await joiner.join("arena", "ann")
    assert await players(court, *IN_1) == [{}, {}]

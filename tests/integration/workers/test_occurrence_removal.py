"""A board that is deleted or cleared takes its occurrences with it."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from scoreboard.assembly.moderation import remover
from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.domain.removals import RemovalKind
from scoreboard.settings import Settings
from scoreboard.wire import messages
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.remover import Remover
from tests.support.arena import opened_arena
from tests.support.channels import listening
from tests.support.moderated_arena import Moderated
from tests.support.occurrences import end_occurrence, known_period, make_final, table_totals
from tests.support.outsiders import listen

WEEK = Period("week", cron="0 0 * * 1")
TABLES = (
    *("user_score", "score_action", "board_join", "period_occurrence", "outside_event"),
    "webhook_top",
)


@pytest.fixture
async def season(court: Moderated, settings: Settings, redis: Redis, pool: asyncpg.Pool) -> Remover:
    """Two weeks of the board, the first of which is final, and one of a board with a like name."""
    await listen(court.database, "occurrence.closed")
    rules = BoardSettings(periods=(WEEK,), attempts=9)
    for board in ("arena", "arena-2"):
        await court.moderator.configure(board, lambda _: rules, by="mod")
    await court.arena.submit(("ann", "a1", 5))
    await end_occurrence(court.arena, "week")
    await court.arena.submit(("ann", "a2", 4))
    await make_final(court.arena, "week", 1)
    await court.moderator.set_hidden("arena", "ann", hidden=True, by="mod", reason="")
    async with opened_arena(settings, redis, pool, "arena-2") as neighbour:
        await neighbour.submit(("ann", "a1", 5))
        await neighbour.persist()
    await court.database.execute(
        "INSERT INTO webhook_top (webhook, board)"
        " VALUES (1, 'arena'), (1, 'arena:week:2'), (2, 'arena:week:2'), (1, 'arena-2')"
    )
    return remover(settings, redis, pool, court.arena.durable)


async def rows(database: asyncpg.Connection) -> dict[str, int]:
    """How many rows of the board and its occurrences each table has."""
    return {
        table: await database.fetchval(
            f"SELECT count(*) FROM {table} WHERE split_part(board, ':', 1) = 'arena'"
        )
        for table in TABLES
    }


@pytest.mark.parametrize("kind", ["delete", "clear"])
async def test_nothing_is_left_of_its_occurrences_and_those_who_watch_them_look_again(
    court: Moderated,
    season: Remover,
    settings: Settings,
    database: asyncpg.Connection,
    kind: RemovalKind,
) -> None:
    before = await rows(database)
    assert (before["period_occurrence"], before["outside_event"], before["webhook_top"]) == (
        2,
        1,
        3,
    )
    keyspace = Keyspace(settings.partitions)
    watched = keyspace.board("arena:week:1").channel
    async with listening(court.arena.redis, watched) as channel:
        assert await season.remove("arena", kind, by="mod")
        assert await channel.next() == messages.GONE
    names: Any = await court.arena.redis.keys("*")
    left = {name.decode() for name in names if court.arena.keys.owns(name)}
    assert left == ({court.arena.keys.meta} if kind == "clear" else set())
    assert set((await rows(database)).values()) == {0}
    neighbour = keyspace.board("arena-2:week:1")
    assert await court.arena.redis.zcard(neighbour.board) == 1
    assert await database.fetchval("SELECT count(*) FROM user_score WHERE board = 'arena-2:week:1'")
    assert await database.fetchval("SELECT board FROM webhook_top") == "arena-2"


async def test_a_cleared_board_begins_anew_with_its_first_occurrence(
    court: Moderated, season: Remover, database: asyncpg.Connection
) -> None:
    before = int((await court.arena.meta())["counter"])
    assert await season.remove("arena", "clear", by="mod")
    (result,) = await court.arena.submit(("bob", "b1", 3))
    assert [(one.occurrence, one.score) for one in result.periods] == [(1, 3)]
    known = await known_period(court.arena, "week")
    assert known is not None
    assert known.before is None
    assert int((await court.arena.meta())["counter"]) > before, "versions never go back"
    await court.arena.persist()
    assert await table_totals(court.arena, "arena:week:1") == {"bob": 3}
    assert (await rows(database))["period_occurrence"] == 1

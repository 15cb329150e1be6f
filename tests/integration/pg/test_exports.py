"""Exports of occurrences, and of boards with rules, add up."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from scoreboard.domain.periods import Period
from scoreboard.domain.snapshots import Snapshot, Wanted
from scoreboard.errors import (
    OccurrenceGone,
    PeriodRequired,
    Unavailable,
    UnknownOccurrence,
    UnknownPeriod,
)
from scoreboard.pg import snapshots
from scoreboard.pg.exports import BoardExports
from scoreboard.pg.pool import open_pool
from tests.support.moderated_arena import Moderated
from tests.support.occurrences import end_occurrence, make_final

WEEK = Period("week", cron="0 0 * * 1")


async def exported(pool: asyncpg.Pool, wanted: Wanted) -> tuple[Snapshot, list[tuple[Any, ...]]]:
    async with BoardExports(pool).open(wanted, by="test") as (snapshot, rows):
        return snapshot, [row async for chunk in rows for row in chunk]


def standings(rows: list[tuple[Any, ...]]) -> list[tuple[int, str, int]]:
    return [row[:3] for row in rows]


@pytest.mark.parametrize("final", [False, True])
async def test_an_occurrence_has_its_own_totals_open_and_final(
    court: Moderated, pool: asyncpg.Pool, *, final: bool
) -> None:
    await court.configure(periods=(WEEK,), rank_style="standard")
    await court.arena.submit(("ann", "a1", 5), ("bob", "b1", 7), ("cy", "c1", 5))
    await end_occurrence(court.arena, "week")
    await court.arena.submit(("ann", "a2", 4))
    await court.arena.persist()
    if final:
        await make_final(court.arena, "week", 1)
        await court.configure(periods=(WEEK,), rank_style="ordinal")  # it keeps the rule it had

    first, rows = await exported(pool, Wanted("arena", "standings", "week", "previous"))
    assert standings(rows) == [(1, "bob", 7), (2, "ann", 5), (2, "cy", 5)]
    assert (first.occurrence, first.rows, first.rank_style) == (1, 3, "standard")
    _, rows = await exported(pool, Wanted("arena", "standings", "week"))
    assert standings(rows) == [(1, "ann", 4)]
    _, rows = await exported(pool, Wanted("arena", "actions", "week", 1))
    assert [(row[1], row[2], row[4], row[8]) for row in rows] == [
        *(("ann", "a1", 5, "week:1"), ("bob", "b1", 7, "week:1"), ("cy", "c1", 5, "week:1")),
    ]


async def test_an_export_whose_connection_ends_behind_the_head_breaks_off_as_unavailable(
    court: Moderated, database_url: str
) -> None:
    await court.arena.submit(("ann", "a1", 5))
    await court.arena.persist()
    pool = await open_pool(database_url, connections=2, timeout=30)
    async with AsyncExitStack() as opened:
        _, rows = await opened.enter_async_context(
            BoardExports(pool).open(Wanted("arena", "standings"), by="test")
        )
        pool.terminate()
        with pytest.raises(Unavailable):
            await anext(rows)


async def test_totals_of_a_board_where_less_is_better_are_as_people_see_them(
    court: Moderated, pool: asyncpg.Pool
) -> None:
    await court.configure(operator="best", order="asc")
    await court.arena.submit(("ann", "a1", 83204), ("bob", "b1", 81000), ("ann", "a2", 90000))
    await court.arena.persist()

    snapshot, rows = await exported(pool, Wanted("arena", "standings"))
    assert standings(rows) == [(1, "bob", 81000), (2, "ann", 83204)]
    assert (snapshot.operator, snapshot.order) == ("best", "asc")
    _, rows = await exported(pool, Wanted("arena", "actions"))
    assert [(row[1], row[3], row[4]) for row in rows] == [
        *(("ann", 83204, 83204), ("bob", 81000, 81000), ("ann", 90000, 83204)),
    ]


async def test_what_is_not_there_is_told_apart(
    court: Moderated, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await court.configure(periods=(WEEK,), all_time=False)
    await court.arena.submit(("ann", "a1", 5))
    await court.arena.persist()

    for error, wanted in (
        (PeriodRequired, Wanted("arena", "standings")),
        (UnknownPeriod, Wanted("arena", "standings", "day")),
        (UnknownOccurrence, Wanted("arena", "standings", "week", "previous")),
        (UnknownOccurrence, Wanted("arena", "standings", "week", 2)),
    ):
        with pytest.raises(error):
            await exported(pool, wanted)
    await database.execute("UPDATE period_occurrence SET state = 'final', pruned = true")
    with pytest.raises(OccurrenceGone):
        await exported(pool, Wanted("arena", "standings", "week", 1))


async def test_an_action_that_was_taken_back_or_refused_says_so(
    court: Moderated, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await court.arena.submit(("ann", "a1", 5), ("ann", "a2", 6), ("ann", "a3", 7))
    await court.arena.persist()
    await database.execute(
        "UPDATE score_action SET reverted_event_ms = 9, reverted_event_seq = 1"
        " WHERE action_id = 'a2'"
    )
    await database.execute(
        "UPDATE score_action SET status = 'refused', score = NULL WHERE action_id = 'a3'"
    )

    _, rows = await exported(pool, Wanted("arena", "actions"))

    assert [(row[2], row[4], row[5], row[7]) for row in rows] == [
        *(("a1", 5, "accepted", None), ("a2", 11, "reverted", "9-1")),
        ("a3", None, "refused", None),
    ]


async def test_a_table_that_somebody_locks_is_waited_for_a_moment_however_long_a_statement_may_take(
    court: Moderated,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert snapshots.WAIT == "SET LOCAL lock_timeout = '4s'"
    monkeypatch.setattr(snapshots, "WAIT", "SET LOCAL lock_timeout = '20ms'")
    await court.configure()
    wanted = Wanted("arena", "standings")
    for table in ("board", "user_score", "score_action"):
        async with database.transaction():
            await database.execute(f"LOCK TABLE {table}")
            with pytest.raises(Unavailable, match="waited or took too long"):
                await exported(pool, wanted)
    assert (await exported(pool, wanted))[1] == []

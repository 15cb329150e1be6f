"""What is kept of tables when a day begins, by whom, and for how long."""

from __future__ import annotations

import asyncio

import asyncpg

from scoreboard.domain.days import day_start
from scoreboard.pg.daily_ranks import DailyRanks
from scoreboard.redisio.closing import ClosedBoards
from scoreboard.workers.day_keeper import DayKeeper
from tests.support.arena import Arena
from tests.support.occurrences import now_ms

DAY = 86_400_000


def keeper_of(arena: Arena, pool: asyncpg.Pool, most: int = 100) -> DayKeeper:
    clock = ClosedBoards(arena.redis, keyspace=arena.durable.keyspace, backlog_limit=1_000)
    return DayKeeper(DailyRanks(pool, most=most), arena.durable.loader, clock)


async def days(database: asyncpg.Connection) -> list[tuple[str, int, int]]:
    """The days that are kept: table, start, and until when nothing moved."""
    rows = await database.fetch(
        "SELECT table_name, starts_at, until FROM daily_table ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


async def tomorrow(arena: Arena, after: int = 1) -> int:
    """A moment some days ahead, on which the day has just begun."""
    return day_start("UTC", await now_ms(arena) + after * DAY)


async def test_the_ranks_of_the_first_are_kept_and_of_the_rest_the_totals(
    arena: Arena, pool: asyncpg.Pool
) -> None:
    await arena.submit(("ann", "a1", 9), ("bob", "a1", 5), ("cy", "a1", 5), ("dan", "a1", 1))
    await arena.submit(("dan", "a2", 1))
    await arena.persist()
    day = await tomorrow(arena)
    await keeper_of(arena, pool, most=2).keep_all(day)

    kept = DailyRanks(pool, most=2)
    for user, expected in (
        ("ann", (day, "ranked", 1, 9)),
        ("bob", (day, "ranked", 2, 5)),
        ("cy", (day, "unranked", None, 5)),
        ("dan", (day, "unranked", None, 2)),
        ("eve", (day, "absent", None, 0)),
    ):
        assert await kept.then("arena", user, [day]) == [expected], user
    assert await kept.then("arena", "ann", [day + DAY]) == [None]


async def test_equal_totals_share_the_rank_that_is_kept_where_they_share_one(
    arena: Arena, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ('arena', $1, $2)",
        *(arena.keys.partition, '{"rankStyle":"standard"}'),
    )
    await arena.submit(("ann", "a1", 9), ("bob", "a1", 5), ("cy", "a1", 5), ("dan", "a1", 1))
    await arena.persist()
    day = await tomorrow(arena)
    await keeper_of(arena, pool).keep_all(day)
    ranks = [
        (await DailyRanks(pool).then("arena", user, [day]))[0] for user in ("bob", "cy", "dan")
    ]
    assert [one and one.rank for one in ranks] == [2, 2, 4]


async def test_a_day_on_which_nothing_moved_writes_no_ranks_and_one_that_did_drops_the_older(
    arena: Arena, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 9))
    await arena.persist()
    first = await tomorrow(arena)
    keeper = keeper_of(arena, pool)
    for day in (first, first + DAY, first + 2 * DAY):
        await keeper.keep_all(day)
    assert await days(database) == [("arena", first, first + 2 * DAY)]
    (quiet,) = await DailyRanks(pool).then("arena", "ann", [first + 2 * DAY])
    assert quiet == (first + 2 * DAY, "ranked", 1, 9)

    await arena.submit(("bob", "a1", 11))
    await arena.persist()
    # The event is of today, and so before the days of this test: what was kept is made older.
    await database.execute("UPDATE daily_table SET moment = 0")
    await keeper.keep_all(first + 3 * DAY)
    assert await days(database) == [("arena", first + 3 * DAY, first + 3 * DAY)]
    assert await database.fetchval("SELECT count(*) FROM daily_ranks") == 1
    (moved,) = await DailyRanks(pool).then("arena", "ann", [first + 3 * DAY])
    assert moved == (first + 3 * DAY, "ranked", 2, 9)


async def test_a_day_waits_for_what_is_still_on_its_way_to_postgres(
    arena: Arena, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 9))
    await arena.persist()
    await arena.submit(("bob", "a1", 11))
    day, keeper = await tomorrow(arena), keeper_of(arena, pool)
    await keeper.keep_all(day)
    assert await days(database) == []
    await arena.persist()
    await keeper.keep_all(day)
    (ann,) = await DailyRanks(pool).then("arena", "ann", [day])
    assert ann == (day, "ranked", 2, 9)


async def test_a_day_that_is_kept_late_says_since_when(
    arena: Arena, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 9))
    await arena.persist()
    await database.execute("UPDATE board SET created = now() - interval '3 days'")
    now = await now_ms(arena)
    await keeper_of(arena, pool).keep_all(now)
    (ann,) = await DailyRanks(pool).then("arena", "ann", [day_start("UTC", now)])
    assert ann is not None
    event_ms = await database.fetchval("SELECT event_ms FROM board")
    assert ann == (event_ms, "ranked", 1, 9)


async def test_two_keepers_keep_a_day_once(
    arena: Arena, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit(*((f"user{n}", "a1", n) for n in range(2_500)))
    await arena.persist()
    day = await tomorrow(arena)
    await asyncio.gather(*(keeper_of(arena, pool, 5_000).keep_all(day) for _ in range(3)))
    assert await days(database) == [("arena", day, day)]
    pieces = await database.fetch("SELECT cardinality(users) AS users FROM daily_ranks")
    assert sorted(row["users"] for row in pieces) == [500, 1000, 1000]
    for user in ("user0", "user1234", "user2499"):
        (then,) = await DailyRanks(pool).then("arena", user, [day])
        assert then is not None
        assert then.rank == 2_500 - int(user.removeprefix("user"))


async def test_days_are_kept_of_open_occurrences_and_for_as_long_as_a_period_needs_them(
    arena: Arena, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 9))
    await arena.persist()
    first = await tomorrow(arena)
    await database.execute(
        "INSERT INTO period_occurrence (board, period, occurrence, starts_at, ends_at, final_at)"
        " VALUES ('arena', 'week', 1, $1, $2, $2)",
        *(first, first + 7 * DAY),
    )
    keeper = keeper_of(arena, pool)
    for number in range(4):
        await database.execute("UPDATE daily_table SET moment = 0")
        await keeper.keep_all(first + number * DAY)
    last = first + 3 * DAY
    assert await days(database) == [
        *(("arena", first, first), ("arena", last, last), ("arena:week:1", last, last)),
    ]

    await database.execute("UPDATE period_occurrence SET state = 'final'")
    await database.execute(
        "INSERT INTO period_occurrence (board, period, occurrence, starts_at, ends_at, final_at)"
        " VALUES ('arena', 'week', 2, $1, $2, $2)",
        *(last + DAY, last + 7 * DAY),
    )
    await database.execute("UPDATE daily_table SET moment = 0")
    await keeper.keep_all(last + DAY)
    assert await days(database) == [("arena", last + DAY, last + DAY)]


async def test_what_is_kept_goes_with_the_board(
    arena: Arena, pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    await arena.submit(("ann", "a1", 9))
    await arena.persist()
    await keeper_of(arena, pool).keep_all(await tomorrow(arena))
    await database.execute(
        "INSERT INTO board_removal (board, partition, doing, version, event_ms, event_seq)"
        " VALUES ('arena', $1, 'delete', 1, 0, 0)",
        arena.keys.partition,
    )
    await database.execute("UPDATE board_removal SET doing = NULL")
    assert await days(database) == []
    assert await database.fetchval("SELECT count(*) FROM daily_ranks") == 0

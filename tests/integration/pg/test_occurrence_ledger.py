"""The tables of periods' occurrences in the ledger: each follows from the actions that counted in
it, whatever comes twice, late, back or by a decision."""

from __future__ import annotations

import random
from typing import Any

import asyncpg
import pytest

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.ledger import Entry, LateDuplicate, TableMove
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.pg.reviews import Reviews
from scoreboard.wire.events import Event
from tests.support.ledger_entries import BOARD, PARTITION, START_MS, event, opened
from tests.support.periodic_ledger import OCCURRENCES, Book

SEED = 5
DAY, WEEK = f"{BOARD}:day:1", f"{BOARD}:week:1"
TABLES = [BOARD, *(f"{BOARD}:{name}" for name in OCCURRENCES)]

RULES = [
    BoardSettings(),
    BoardSettings(order="asc"),
    BoardSettings(operator="best"),
    BoardSettings(operator="best", order="asc", rank_style="standard"),
    BoardSettings(operator="last"),
    BoardSettings(operator="last", order="asc"),
]


async def write(ledger: Ledger, *events: tuple[Event, Entry]) -> list[LateDuplicate]:
    async with ledger.locked(PARTITION) as session:
        return (await session.write(events, [])).late


async def make_board(database: asyncpg.Connection, rules: BoardSettings) -> None:
    await database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ($1, $2, $3)",
        *(BOARD, PARTITION, rules.to_text()),
    )


async def finalise(ledger: Ledger, period: str, number: int = 1) -> int | None:
    async with ledger.locked(PARTITION) as session:
        return await session.source.finalise(BOARD, period, number)


async def kept(database: asyncpg.Connection, table: str) -> dict[str, tuple[int | None, Any]]:
    """Each user's total in a table with the rank that is stored."""
    rows = await database.fetch(
        "SELECT user_id, score, rank FROM user_score WHERE board = $1", table
    )
    return {user: (score, rank) for user, score, rank in rows}


async def scores(database: asyncpg.Connection) -> dict[tuple[str, str], int | None]:
    rows = await database.fetch("SELECT board, user_id, score FROM user_score")
    return {(table, user): score for table, user, score in rows}


async def everything(database: asyncpg.Connection) -> list[Any]:
    """All rows that events make, without the times at which they were written."""
    found = []
    for table in ("user_score", "score_action", "period_occurrence", "outside_event", "review"):
        found += await database.fetch(
            f"SELECT to_jsonb(t) - 'updated' - 'recorded_at' AS row FROM {table} AS t ORDER BY 1"
        )
    return [row["row"] for row in found]


async def differences(pool: asyncpg.Pool) -> list[Any]:
    """Where user_score is not what the ledger gives, in any table."""
    audit = LedgerAudit(pool)
    names = [BOARD, *(known.table for known in await audit.occurrences(BOARD))]
    return [
        (name, row)
        async for name, chunk in audit.totals(BOARD, names)
        for row in chunk
        if row.total != row.ledger
    ]


async def amended(database: asyncpg.Connection, period: str = "day") -> tuple[Any, ...]:
    row = await database.fetchrow(
        "SELECT amended, users FROM period_occurrence WHERE period = $1 AND occurrence = 1", period
    )
    return row["amended"], row["users"]


async def test_an_action_is_kept_with_what_it_did_in_each_table(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    await write(
        ledger,
        opened("9-0", "day", 1, START_MS, START_MS + 1_000, START_MS + 1_500),
        event("10-0", "ann", "a1", 5, moves=f"day:1 5 {START_MS} -;week:1 5 {START_MS} -"),
        event("11-0", "ann", "a2", 2, score=7, moves=f"week:1 7 {START_MS + 3} 5"),
        event("12-0", "bob", "b1", 4, moves=""),
    )
    assert await scores(database) == {
        (BOARD, "ann"): 7,
        (BOARD, "bob"): 4,
        (DAY, "ann"): 5,
        (WEEK, "ann"): 7,
    }
    async with ledger.locked(PARTITION) as session:
        (chunk,) = [chunk async for chunk in session.source.totals(WEEK)]
        assert [tuple(row) for row in chunk] == [("ann", 7, START_MS + 3, False)]
        (known,) = await session.source.occurrences(BOARD)
        players = [row async for chunk in session.source.players(WEEK) for row in chunk]
    assert known[:8] == (
        *(BOARD, "day", 1, START_MS, START_MS + 1_000, START_MS + 1_500),
        *("open", None),
    )
    assert known.table == DAY
    assert players == [("ann", 2)]
    action = await Reviews(pool).action(BOARD, "ann", "a1")
    assert action is not None
    assert action.moves == (
        TableMove("day:1", 5, START_MS, None),
        TableMove("week:1", 5, START_MS, None),
    )


@pytest.mark.parametrize("rules", RULES, ids=str)
async def test_every_table_has_what_its_actions_come_to(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool, rules: BoardSettings
) -> None:
    """And nothing more when batches come again, whole or in part."""
    draw = random.Random(SEED)
    await make_board(database, rules)
    book = Book(rules)
    events = book.season(draw, 150)
    at = 0
    while at < len(events):
        size = draw.randint(1, 30)
        await write(ledger, *events[at : at + size])
        at += size
    assert await scores(database) == book.totals()
    assert await differences(pool) == []
    before = await everything(database)
    for _ in range(5):
        start = draw.randrange(len(events))
        assert await write(ledger, *events[start : start + 40]) == []
    assert await everything(database) == before
    async with ledger.locked(PARTITION) as session:
        await session.source.correct(BOARD)
    assert await everything(database) == before


@pytest.mark.parametrize("rules", RULES, ids=str)
async def test_totals_that_are_wrong_or_gone_are_set_to_what_the_ledger_gives(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool, rules: BoardSettings
) -> None:
    await make_board(database, rules)
    book = Book(rules)
    await write(ledger, *book.season(random.Random(SEED), 80))
    await finalise(ledger, "day")
    before = await kept(database, DAY)
    await database.execute("UPDATE user_score SET score = 1234 WHERE user_id = 'user1'")
    await database.execute("DELETE FROM user_score WHERE user_id = 'user2'")
    assert await differences(pool) != []
    async with ledger.locked(PARTITION) as session:
        await session.source.correct(BOARD)
    assert await differences(pool) == []
    after = {place: total for place, total in (await scores(database)).items() if total is not None}
    assert after == {place: n for place, n in book.totals().items() if n is not None}
    assert {user for user, (total, _) in before.items() if total is not None} == {
        user for user, (_, rank) in (await kept(database, DAY)).items() if rank
    }
    assert (await amended(database))[0]


async def test_a_late_duplicate_says_which_tables_it_moved_and_is_taken_back_from_them(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    at = START_MS
    await write(
        ledger,
        *Book(BoardSettings()).open(),
        event("1900000000000-0", "ann", "a1", 5, moves=f"day:1 5 {at} -;week:1 5 {at} -"),
    )
    again = event(
        *("1900000000001-0", "ann", "a1", 5),
        score=10,
        attempt="again",
        moves=f"day:2 5 {at} -;week:1 10 {at} 5",
    )
    for _ in range(2):
        (late,) = await write(ledger, again)
        assert [move.occurrence for move in late.moves] == ["day:2", "week:1"]
        assert [move.occurrence for move in late.original.moves] == ["day:1", "week:1"]
    back = event(
        *("1900000000002-0", "ann", "a1", 5),
        kind="V",
        e="1900000000001-0",
        attempt="again",
        moves=f"day:2 0 {at} 5;week:1 5 {at} 10",
    )
    for _ in range(2):
        await write(ledger, back)
        assert await scores(database) == {
            (BOARD, "ann"): 5,
            (DAY, "ann"): 5,
            (f"{BOARD}:day:2", "ann"): 0,
            (WEEK, "ann"): 5,
        }
    assert await differences(pool) == []


@pytest.mark.parametrize("rules", RULES, ids=str)
async def test_late_duplicates_that_were_never_taken_back_are_left_out_of_every_open_table(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool, rules: BoardSettings
) -> None:
    await make_board(database, rules)
    book = Book(rules)
    await write(ledger, *book.season(random.Random(SEED), 60))
    await finalise(ledger, "day")
    before, right = await kept(database, DAY), book.totals()
    twice = [one for one in book.actions if one.occurrences == ("day:2", "week:1")][:3]
    twice += [one for one in book.actions if one.occurrences == ("day:1", "week:1")][:1]
    assert len(twice) == 4
    for action in twice:
        (late,) = await write(ledger, book.repeat(action))
        assert late.original.action_id == action.name
    async with ledger.locked(PARTITION) as session:
        assert await session.source.has_lost_reverts(BOARD)
        await session.source.settle(BOARD)
        assert not await session.source.has_lost_reverts(BOARD)
    assert await scores(database) == right
    assert await differences(pool) == []
    assert await kept(database, DAY) == before


async def test_a_history_that_redis_had_lost_and_came_back_with_counts_in_its_tables_too(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    """Also in one that has become final meanwhile, which is amended by that."""
    at = START_MS
    await write(
        ledger,
        opened("9-0", "day", 1, at, at + 1_000),
        opened("9-1", "week", 1, at, at + 7_000),
        event("10-0", "ann", "a1", 5, moves=f"day:1 5 {at} -;week:1 5 {at} -"),
        event("12-0", "bob", "b1", 6, moves=f"day:1 6 {at} -;week:1 6 {at} -"),
        event("20-0", "ann", "a2", 1, score=6, moves=f"week:1 6 {at} 5"),
    )
    assert await finalise(ledger, "day") == 2
    returned = (
        event("11-0", "ann", "a3", 30, score=35, moves=f"day:1 35 {at} 5;week:1 35 {at} 5"),
        event("11-1", "bob", "b2", -2, score=4, moves=f"day:1 -2 {at} -;week:1 -2 {at} -"),
    )
    for one, bob in ((returned[0], 6), (returned[1], 4), (returned[0], 4)):
        await write(ledger, one)
        assert await kept(database, BOARD) == {"ann": (36, None), "bob": (bob, None)}
        assert await kept(database, WEEK) == {"ann": (36, None), "bob": (bob, None)}
        assert await kept(database, DAY) == {"ann": (35, 1), "bob": (bob, 2)}
    assert await differences(pool) == []
    assert await amended(database) == (True, 2)


async def test_one_that_comes_back_before_a_users_latest_event_amends_a_final_table_too(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    at = START_MS
    await write(
        ledger,
        opened("9-0", "day", 1, at, at + 1_000),
        event("10-0", "ann", "a1", 5, moves=f"day:1 5 {at} -"),
        event("12-0", "bob", "b1", 4, moves=f"day:1 4 {at} -"),
    )
    await finalise(ledger, "day")
    for _ in range(2):
        await write(ledger, event("11-0", "bob", "b2", 3, moves=f"day:1 3 {at} -"))
        assert await kept(database, DAY) == {"ann": (5, 2), "bob": (7, 1)}
    assert await differences(pool) == []
    assert await amended(database) == (True, 2)


@pytest.mark.parametrize("rules", RULES, ids=str)
async def test_an_action_taken_back_leaves_final_tables_which_are_ranked_anew(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool, rules: BoardSettings
) -> None:
    await make_board(database, rules)
    book = Book(rules)
    await write(ledger, *book.season(random.Random(SEED), 80))
    await finalise(ledger, "day")
    assert (await amended(database))[0] is False
    untouched = await everything(database)
    in_week = next(one for one in book.actions if one.occurrences == ("week:1",))
    await write(ledger, book.revert(in_week))
    assert (await amended(database))[0] is False

    in_day = [one for one in book.actions if one.occurrences == ("day:1", "week:1")]
    for action in in_day[:4]:
        await write(ledger, book.revert(action))
    assert await scores(database) == book.totals()
    assert await differences(pool) == []
    assert await everything(database) != untouched
    ranked = {user: total for user, (total, rank) in (await kept(database, DAY)).items() if rank}
    assert ranked == {
        user: total
        for (table, user), total in book.totals().items()
        if table == DAY and total is not None
    }
    assert await amended(database) == (True, len(ranked))


async def test_an_approved_action_counts_in_the_final_tables_that_the_event_names(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    at = START_MS
    await write(
        ledger,
        opened("9-0", "day", 1, at, at + 1_000),
        event("10-0", "ann", "a1", 5, moves=f"day:1 5 {at} -;week:1 5 {at} -"),
        event("10-1", "bob", "b1", 9, kind="R", f=b"[]", moves=""),
    )
    assert await finalise(ledger, "day") == 1
    approval = event("30-0", "bob", "b1", 9, moves=f"week:1 9 {at} -", m=("day:1",))
    for _ in range(2):
        await write(ledger, approval)
        assert await kept(database, DAY) == {"ann": (5, 2), "bob": (9, 1)}
        assert await kept(database, WEEK) == {"ann": (5, None), "bob": (9, None)}
    assert await differences(pool) == []
    assert await amended(database) == (True, 2)
    assert await Reviews(pool).total_without(DAY, "bob", ["b1"]) == (0, None)

    # The second is of a board whose periods were taken away meanwhile, by an earlier version.
    moves = f"week:1 0 {at} 9"
    back = [
        event("31-0", "bob", "b1", 9, kind="V", score=0, e="30-0", w="no", moves=moves),
        event("31-1", "ann", "a1", 5, kind="V", score=0, e="10-0", w="no"),
    ]
    assert [told.body.v for told, _ in back] == [3, 1]
    for _ in range(2):
        for one in back:
            await write(ledger, one)
        assert await kept(database, DAY) == {"bob": (0, 1), "ann": (0, 2)}
    assert await differences(pool) == []


async def test_who_is_hidden_is_so_in_every_table_of_the_board(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    at = START_MS
    await write(
        ledger,
        *Book(BoardSettings()).open(),
        *(
            event(
                *(f"{at + n}00-0", user, "a1", points),
                moves=f"day:1 {points} {at} -;week:1 {points} {at} -",
            )
            for n, (user, points) in enumerate((("ann", 9), ("bob", 5), ("cy", 3)), 1)
        ),
    )
    assert await finalise(ledger, "day") == 3

    async def nothing() -> None:
        pass

    async def set_hidden(hidden: bool) -> bool | None:
        return await Reviews(pool).set_hidden(
            BOARD, "ann", hidden=hidden, by="eve", reason="", before_commit=nothing
        )

    hidden_in = "SELECT board FROM user_score WHERE hidden ORDER BY board"
    for _ in range(2):
        assert await set_hidden(True) is True
        assert await kept(database, DAY) == {"ann": (9, None), "bob": (5, 1), "cy": (3, 2)}
        assert [row["board"] for row in await database.fetch(hidden_in)] == [BOARD, DAY, WEEK]
        assert await amended(database) == (True, 2)
    await write(
        ledger,
        event(f"{at + 9}00-0", "ann", "a2", 1, score=10, moves=f"day:2 1 {at} -;week:1 10 {at} 9"),
    )
    assert len(await database.fetch(hidden_in)) == 4
    assert await set_hidden(False) is False
    assert await database.fetch(hidden_in) == []
    assert await kept(database, DAY) == {"ann": (9, 1), "bob": (5, 2), "cy": (3, 3)}
    assert await amended(database) == (True, 3)
    assert await amended(database, "week") == (False, None)


async def test_who_joined_an_occurrence_is_in_that_one_alone(ledger: Ledger) -> None:
    joined = event("10-0", "ann", "join", 0, kind="J", attempt="join", moves="day:1 - - -")
    for _ in range(2):
        await write(ledger, joined)
    async with ledger.locked(PARTITION) as session:
        for table, players in ((DAY, [("ann", 0)]), (WEEK, [])):
            found = [row async for chunk in session.source.players(table) for row in chunk]
            assert found == players

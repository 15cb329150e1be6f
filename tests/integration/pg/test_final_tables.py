"""Tables that are final, read from Postgres: as the zset was, by the ranks of the end."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg
import msgspec
import pytest

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.stamps import stamp
from scoreboard.domain.standings import Place
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.occurrences import Occurrences
from tests.support.ledger_entries import BOARD, PARTITION, START_MS, event, opened
from tests.support.waiting import wait_until

SEED = 13
DAY = f"{BOARD}:day:1"
TOTALS = (-2, 0, 4, 2**21, 2**40)  # so that of equal totals some doubles are equal and some are not

RULES = {
    "plain": BoardSettings(),
    "asc": BoardSettings(order="asc"),
    "standard": BoardSettings(rank_style="standard"),
    "asc, standard": BoardSettings(order="asc", rank_style="standard"),
}


@pytest.fixture
def boards(pool: asyncpg.Pool) -> ArchivedBoards:
    return ArchivedBoards(pool)


@pytest.fixture(params=RULES.values(), ids=list(RULES))
def rules(request: pytest.FixtureRequest) -> BoardSettings:
    """Those of the board when the occurrence became final."""
    settings: BoardSettings = request.param
    return settings


@pytest.fixture
async def order(
    ledger: Ledger, database: asyncpg.Connection, rules: BoardSettings
) -> list[tuple[str, int, int]]:
    """The users with totals and ranks in the order of the zset; the table is final, and then the
    board got the other style of ranks."""
    draw = random.Random(SEED)
    rows = [(f"user{n}", draw.choice(TOTALS), START_MS + draw.randrange(5_000)) for n in range(120)]
    await database.execute(
        "INSERT INTO board (board, partition, settings) VALUES ($1, $2, $3)",
        *(BOARD, PARTITION, rules.to_text()),
    )
    async with ledger.locked(PARTITION) as session:
        events = [opened("1-0", "day", 1, START_MS, START_MS + 5_000)]
        events += [
            event(f"{10 + n}-0", user, "a", moves=f"day:1 {total} {reached} -")
            for n, (user, total, reached) in enumerate(rows)
        ]
        await session.write(events, [])
        await database.execute("UPDATE user_score SET hidden = true WHERE user_id = 'user5'")
        assert await session.source.finalise(BOARD, "day", 1) == 119
    style: Any = "ordinal" if rules.rank_style == "standard" else "standard"
    later = msgspec.structs.replace(rules, rank_style=style)
    await database.execute("UPDATE board SET settings = $1", later.to_text())
    in_zset = sorted(
        ((stamp(total, ms), user, total) for user, total, ms in rows if user != "user5"),
        reverse=True,
    )
    totals = [total for _, _, total in in_zset]
    shared = rules.rank_style == "standard"
    return [
        (user, total * rules.sign, totals.index(total) + 1 if shared else place)
        for place, (_, user, total) in enumerate(in_zset, 1)
    ]


async def test_the_top_and_every_page_are_in_the_order_of_the_zset(
    boards: ArchivedBoards, order: list[tuple[str, int, int]]
) -> None:
    _, top = await boards.top(DAY)
    assert [entry["userId"] for entry in msgspec.json.decode(top)] == [u for u, _, _ in order[:10]]
    seen: list[tuple[str, int, int]] = []
    place: Place | None = Place("rank", 1)
    while place:
        page = await boards.page(DAY, place, 7)
        seen += [(one.user_id, one.score, one.rank) for one in page.standings]
        place = page.last
    assert seen == order


async def test_each_users_rank_is_the_same_in_every_answer(
    boards: ArchivedBoards, order: list[tuple[str, int, int]], database: asyncpg.Connection
) -> None:
    stored = await database.fetch("SELECT user_id, rank FROM user_score WHERE board = $1", DAY)
    assert {user: rank for user, rank in stored if rank} == {user: rank for user, _, rank in order}
    users = [user for user, _, _ in order]
    told = await boards.standings(DAY, [*users, "user5", "nobody"])
    assert [one and (one.user_id, one.score, one.rank) for one in told] == [*order, None, None]
    for place in (0, 1, 30, 60, 90, 117, 118):
        user = users[place]
        assert await boards.standings(DAY, [user]) == [told[place]]
        assert (
            await boards.around(DAY, user, 3)
            == told[max(0, place - 3) : place + 4][: len(order) - max(0, place - 3)]
        )
        own = await boards.user(DAY, user)
        assert own is not None
        assert (own.user_id, own.score, own.rank) == order[place]
        assert (own.next and own.next.user_id) == (users[place - 1] if place else None)
    assert await boards.around(DAY, "user5", 3) is None
    assert await boards.user(DAY, "user5") is None


async def test_ranking_ahead_leaves_a_table_as_it_is_that_is_final_already(
    boards: ArchivedBoards, order: list[tuple[str, int, int]], pool: asyncpg.Pool
) -> None:
    occurrences = Occurrences(pool)
    assert await occurrences.large([DAY, f"{BOARD}:day:2"], 119) == {DAY}, "with who is hidden"
    assert await occurrences.large([DAY, f"{BOARD}:day:2"], 120) == set()
    await occurrences.rank_ahead(DAY)
    assert await everything(boards) == order


async def test_a_table_that_nobody_is_in_is_empty(
    boards: ArchivedBoards, order: list[tuple[str, int, int]]
) -> None:
    assert (await boards.top(f"{BOARD}:day:2"))[1] == b"[]"
    assert await boards.standings(f"{BOARD}:day:2", ["user1"]) == [None]
    assert (await boards.page(f"{BOARD}:day:2", Place("rank", 1), 5)).standings == []


async def everything(boards: ArchivedBoards) -> list[tuple[str, int, int]]:
    """The whole table, page by page."""
    seen: list[tuple[str, int, int]] = []
    place: Place | None = Place("rank", 1)
    while place:
        page = await boards.page(DAY, place, 7)
        seen += [(one.user_id, one.score, one.rank) for one in page.standings]
        place = page.last
    return seen


def ranks_of(left: list[tuple[str, int, int]], *, shared: bool) -> list[tuple[str, int, int]]:
    totals = [total for _, total, _ in left]
    return [
        (user, total, totals.index(total) + 1 if shared else place)
        for place, (user, total, _) in enumerate(left, 1)
    ]


async def test_who_leaves_a_large_table_is_gone_at_once_and_the_others_move_up_when_it_is_ranked(
    boards: ArchivedBoards,
    order: list[tuple[str, int, int]],
    rules: BoardSettings,
    database: asyncpg.Connection,
    pool: asyncpg.Pool,
) -> None:
    gone = {order[place][0] for place in (0, 40, 41, 80, 118)}
    left = [one for one in order if one[0] not in gone]
    await database.execute(
        "UPDATE user_score SET hidden = true WHERE board = $1 AND user_id = ANY ($2)", DAY, gone
    )
    await database.execute("SELECT amend_table($1, 50)", DAY)

    assert await everything(boards) == left, "with the ranks that they had"
    _, top = await boards.top(DAY)
    assert [entry["userId"] for entry in msgspec.json.decode(top)] == [u for u, _, _ in left[:10]]
    for place in (0, 1, 38, 39, 40, 77, 78, 113):
        user = left[place][0]
        own = await boards.user(DAY, user)
        assert own is not None
        assert (own.user_id, own.score, own.rank) == left[place]
        assert (own.next and own.next.user_id) == (left[place - 1][0] if place else None)
        around = await boards.around(DAY, user, 2)
        assert around is not None
        assert [one.user_id for one in around] == [
            u for u, _, _ in left[max(0, place - 2) : place + 3]
        ]
    for user in gone:
        assert await boards.user(DAY, user) is None

    occurrences = Occurrences(pool)
    assert await occurrences.rank_next() == (DAY, len(left))
    assert await everything(boards) == ranks_of(left, shared=rules.rank_style == "standard")
    assert await occurrences.rank_next() is None
    kept = await database.fetchrow("SELECT users, amended FROM period_occurrence")
    assert tuple(kept) == (len(left), True)


@pytest.mark.parametrize("rules", [BoardSettings()], indirect=True)
async def test_a_decision_amid_a_ranking_is_ranked_after_it(
    order: list[tuple[str, int, int]], database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    occurrences = Occurrences(pool)
    await database.execute("SELECT amend_table($1, 0)", DAY)
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT rank_table($1, false)", DAY)  # which goes on until the end
        ranking = asyncio.create_task(occurrences.rank_next())

        async def waits() -> bool:
            return bool(
                await database.fetchval(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
                    " AND database = (SELECT oid FROM pg_database"
                    " WHERE datname = current_database())"  # others have theirs on this server
                )
            )

        await wait_until(waits, description="it waits for its turn")
        await database.execute("SELECT amend_table($1, 0)", DAY)
    assert await ranking == (DAY, 119)
    assert await occurrences.rank_next() == (DAY, 119), "for the decision that came meanwhile"
    assert await occurrences.rank_next() is None


@pytest.mark.parametrize("rules", [BoardSettings()], indirect=True)
async def test_tables_that_are_large_together_are_ranked_later_but_for_the_smallest(
    order: list[tuple[str, int, int]], database: asyncpg.Connection
) -> None:
    await database.execute(
        "INSERT INTO period_occurrence"
        " (board, period, occurrence, starts_at, ends_at, final_at, state, users, shared)"
        " SELECT $1, 'day', n, 0, 0, 0, 'final', 6000, false FROM generate_series(2, 3) AS n",
        BOARD,
    )
    tables = [f"{BOARD}:day:{n}" for n in (1, 2, 3)]
    await database.execute("SELECT amend_tables($1)", tables)
    later = await database.fetch("SELECT table_name FROM period_occurrence WHERE unranked = 1")
    assert [row["table_name"] for row in later] == [tables[2]]

"""Occurrences of periods in Postgres: when they are due, their end, and what is kept of them."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg
import msgspec
import pytest

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.kept_occurrences import DueOccurrence, KeptOccurrence
from scoreboard.domain.moments import moment_of
from scoreboard.domain.stamps import stamp
from scoreboard.errors import Unavailable, UnknownBoard
from scoreboard.pg import occurrences, removals
from scoreboard.pg.archived_boards import ArchivedBoards
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.occurrences import Occurrences
from scoreboard.pg.removals import Removals
from scoreboard.pg.waiting_work import WorkRecord
from tests.support.ledger_entries import BOARD, PARTITION, START_MS, event, opened
from tests.support.outsiders import listen
from tests.support.periodic_ledger import Written

SEED = 3
DAY = f"{BOARD}:day:1"


@pytest.fixture
def known(pool: asyncpg.Pool) -> Occurrences:
    return Occurrences(pool)


async def write(ledger: Ledger, *events: Written) -> None:
    async with ledger.locked(PARTITION) as session:
        await session.write(events, [])


async def finalise(ledger: Ledger, number: int = 1) -> int | None:
    async with ledger.locked(PARTITION) as session:
        return await session.source.finalise(BOARD, "day", number)


async def due_at(
    known: Occurrences, moment: int
) -> tuple[list[DueOccurrence], list[DueOccurrence]]:
    """What is to be followed by the next, and what can be made final."""
    turns, ends = [await known.due(moment, 10, turning=turning) for turning in (True, False)]
    return turns, ends


async def next_end(pool: asyncpg.Pool, moment: int) -> int | None:
    """When the next end is to be looked for."""
    return (await WorkRecord(pool).look(moment)).next_end


def days(count: int, *, users: int = 0) -> list[Written]:
    """Days of a second each, and the same users in each of them."""
    written = []
    for day in range(1, count + 1):
        start = START_MS + day * 1_000
        written.append(opened(f"{start}-0", "day", day, start, start + 1_000))
        written += [
            event(f"{start}-{n}", f"user{n}", f"a{day}", n, moves=f"day:{day} {n} {start} -")
            for n in range(1, users + 1)
        ]
    return written


def at(ms: int) -> str:
    return moment_of(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def users_of(database: asyncpg.Connection, table: str) -> int:
    return int(await database.fetchval("SELECT count(*) FROM user_score WHERE board = $1", table))


async def test_what_has_ended_is_due_until_the_next_is_open_and_again_when_it_can_be_final(
    known: Occurrences, ledger: Ledger, pool: asyncpg.Pool
) -> None:
    end, final = START_MS + 1_000, START_MS + 1_500
    await write(ledger, opened("10-0", "day", 1, START_MS, end, final))
    assert await due_at(known, end - 1) == ([], [])
    assert await next_end(pool, START_MS) == end
    (due,), ends = await due_at(known, end)
    assert ends == [], "latecomers still count"
    assert due == (BOARD, "day", 1, START_MS, end, final, False)
    assert due.table == DAY
    assert await next_end(pool, end + 1) == final

    await write(ledger, opened("11-0", "day", 2, end, end + 1_000))
    assert await due_at(known, end) == ([], [])
    assert await due_at(known, final) == ([], [due._replace(turned=True)])
    turns, ends = await due_at(known, end + 1_000)
    assert ([one.number for one in turns], [one.number for one in ends]) == ([2], [1, 2])
    await finalise(ledger)
    _, ends = await due_at(known, end + 1_000)
    assert [one.number for one in ends] == [2]
    assert await next_end(pool, end + 1) == end + 1_000
    assert await next_end(pool, end + 1_001) is None


async def test_what_is_due_comes_in_pages_from_the_earliest_end_on(
    known: Occurrences, ledger: Ledger
) -> None:
    await write(ledger, *days(5))
    seen, last = [], None
    while page := await known.due(START_MS * 2, 2, turning=False, after=last):
        seen += [one.number for one in page]
        last = page[-1]
    assert seen == [1, 2, 3, 4, 5]


async def test_nothing_of_a_board_that_is_being_removed_is_due(
    known: Occurrences, ledger: Ledger, pool: asyncpg.Pool
) -> None:
    await write(ledger, *days(1))
    await Removals(pool).begin(BOARD, "clear", version=9, by="eve")
    assert await due_at(known, START_MS * 2) == ([], [])
    assert await next_end(pool, 0) is None
    assert await finalise(ledger) is None


@pytest.mark.parametrize("style", ["ordinal", "standard"])
@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_the_ranks_that_are_stored_follow_the_zsets_order(
    ledger: Ledger, database: asyncpg.Connection, style: Any, order: Any
) -> None:
    """Also where a double can't tell the milliseconds of two totals apart."""
    rules = BoardSettings(rank_style=style, order=order)
    draw = random.Random(SEED)
    rows = [
        (f"user{n}", draw.choice((-2, 0, 5, 2**21, 2**40)), START_MS + draw.randrange(5_000))
        for n in range(200)
    ]
    await write(
        ledger,
        *days(1),
        *(
            event(f"{START_MS + 5_000 + n}-0", user, "a", moves=f"day:1 {total} {reached} -")
            for n, (user, total, reached) in enumerate(rows)
        ),
    )
    await database.execute("UPDATE board SET settings = $1", rules.to_text())
    await database.execute("UPDATE user_score SET hidden = true WHERE user_id = 'user7'")
    await database.execute("UPDATE user_score SET score = NULL WHERE user_id = 'user8'")
    shown = [(stamp(t, ms), user, t) for user, t, ms in rows if user not in ("user7", "user8")]
    shown.sort(reverse=True)
    totals = [total for _, _, total in shown]
    expected = {
        user: totals.index(total) + 1 if style == "standard" else place
        for place, (_, user, total) in enumerate(shown, 1)
    }
    assert len({double for double, _, _ in shown}) < len(shown)

    assert await finalise(ledger) == 198
    ranks = await database.fetch(
        "SELECT user_id, rank FROM user_score WHERE board = $1 AND rank IS NOT NULL", DAY
    )
    assert dict(ranks) == expected
    assert not await database.fetchval(
        "SELECT count(*) FROM user_score WHERE board = $1 AND rank IS NOT NULL", BOARD
    )


async def test_an_occurrence_gets_final_once_and_outsiders_are_told_once(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    await listen(database, "occurrence.closed")
    await write(ledger, *days(2, users=3))
    assert [await finalise(ledger) for _ in range(3)] == [3, None, None]
    assert await finalise(ledger, 77) is None
    told = await database.fetch("SELECT kind, board, body FROM outside_event")
    shown = await database.fetch(
        'SELECT user_id AS "userId", score, rank FROM user_score WHERE board = $1 ORDER BY rank',
        DAY,
    )
    assert [(kind, board, msgspec.json.decode(body)) for kind, board, body in told] == [
        (
            "occurrence.closed",
            BOARD,
            {
                "board": BOARD,
                "period": "day",
                "occurrence": 1,
                "startsAt": at(START_MS + 1_000),
                "endsAt": at(START_MS + 2_000),
                "users": 3,
                "topScores": [dict(row) for row in shown],
                "standings": f"/api/boards/{BOARD}/standings?period=day&occurrence=1",
            },
        )
    ]
    first, second = await ArchivedBoards(pool).latest_occurrences(BOARD)
    assert (first.state, first.users, first.amended) == ("final", 3, False)
    assert (second.state, second.users) == ("open", None)


async def test_two_at_once_make_an_occurrence_final_once(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    await listen(database, "occurrence.closed")
    await write(ledger, *days(1, users=30))
    done = await asyncio.gather(*(finalise(ledger) for _ in range(4)))
    assert sorted(users or 0 for users in done) == [0, 0, 0, 30]
    assert await database.fetchval("SELECT count(*) FROM outside_event") == 1


async def test_old_occurrences_lose_their_users_and_keep_their_place_in_the_list(
    known: Occurrences,
    ledger: Ledger,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(occurrences, "CHUNK", 2)
    await write(ledger, *days(5, users=5))
    await write(ledger, event("9-0", "eve", "j", 0, kind="J", attempt="join", moves="day:1 - - -"))
    for number in range(1, 5):
        await finalise(ledger, number)
    assert await known.prune(BOARD, "day", 2) == 2
    kept = [await users_of(database, f"{BOARD}:day:{number}") for number in range(1, 6)]
    assert kept == [0, 0, 5, 5, 5]
    assert await users_of(database, BOARD) == 5
    assert await database.fetchval("SELECT count(*) FROM board_join WHERE board = $1", DAY) == 0
    listed = await ArchivedBoards(pool).occurrences(BOARD, "day", before=None, limit=10)
    assert [(one.number, one.state, one.users, one.pruned) for one in listed] == [
        (5, "open", 5, False),
        (4, "final", 5, False),
        (3, "final", 5, False),
        (2, "final", 5, True),
        (1, "final", 5, True),
    ]
    assert await known.prune(BOARD, "day", 2) == 0
    assert await known.prune(BOARD, "week", 0) == 0


async def test_pruning_goes_on_where_it_was_broken_off(
    known: Occurrences,
    ledger: Ledger,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(occurrences, "CHUNK", 2)
    await write(ledger, *days(2, users=5))
    await finalise(ledger)
    await database.execute(
        """CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN RAISE EXCEPTION 'stopped'; END$$"""
    )
    await database.execute(
        """CREATE TRIGGER stop BEFORE DELETE ON user_score FOR EACH ROW
           WHEN (OLD.user_id = 'user4') EXECUTE FUNCTION stop()"""
    )
    with pytest.raises(asyncpg.RaiseError):
        await known.prune(BOARD, "day", 0)
    assert await users_of(database, DAY) == 3
    assert await database.fetchval("SELECT pruned FROM period_occurrence WHERE occurrence = 1")
    await database.execute("DROP FUNCTION stop CASCADE")
    assert await known.prune(BOARD, "day", 0) == 1
    assert await users_of(database, DAY) == 0
    assert await known.prune(BOARD, "day", 0) == 0


async def test_a_pruned_table_stays_empty_whatever_comes(
    known: Occurrences, ledger: Ledger, database: asyncpg.Connection
) -> None:
    await write(ledger, *days(2, users=2))
    await finalise(ledger)
    await known.prune(BOARD, "day", 0)
    late = START_MS * 2
    await write(
        ledger,
        event(f"{late}-0", "user1", "x", moves=f"day:1 6 {late} 1"),
        event(f"{late}-1", "user2", "a1", 2, kind="V", score=0, e=f"{START_MS + 1_000}-2"),
    )
    async with ledger.locked(PARTITION) as session:
        await session.source.correct(BOARD)
    assert await users_of(database, DAY) == 0


async def test_lists_are_read_from_the_newest_back_and_others_by_number_or_moment(
    known: Occurrences, ledger: Ledger, pool: asyncpg.Pool
) -> None:
    await write(ledger, *days(5), opened("1-0", "week", 1, START_MS, START_MS + 7_000))
    archived = ArchivedBoards(pool)

    async def listed(before: int | None, limit: int) -> list[int]:
        page = await archived.occurrences(BOARD, "day", before=before, limit=limit)
        return [one.number for one in page]

    assert await listed(None, 2) == [5, 4]
    assert await listed(4, 2) == [3, 2]
    assert await listed(2, 2) == [1]
    third = await archived.occurrence(BOARD, "day", 3)
    assert third == KeptOccurrence(
        *(BOARD, "day", 3, START_MS + 3_000, START_MS + 4_000, START_MS + 4_000),
        *("open", None, False, False),
    )
    assert await archived.occurrence(BOARD, "day", 6) is None
    latest = await known.latest(BOARD)
    assert [(one.period, one.number) for one in latest] == [("day", 4), ("day", 5), ("week", 1)]
    assert latest == await archived.latest_occurrences(BOARD)
    for moment, numbers in ((999, ["week 1"]), (1_000, ["day 1", "week 1"]), (7_000, [])):
        found = await known.holding(BOARD, START_MS + moment)
        assert [f"{one.period} {one.number}" for one in found] == numbers
    assert await known.latest("nothing") == []
    with pytest.raises(UnknownBoard):
        await archived.latest_occurrences("nothing")


async def test_a_removal_by_an_earlier_version_is_left_to_one_that_knows_occurrences(
    ledger: Ledger, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(ledger, *days(1, users=3))
    removing = Removals(pool)
    removal = await removing.begin(BOARD, "delete", version=9, by="eve")
    with monkeypatch.context() as earlier:
        earlier.setattr(removals, "_PARTS", {"delete": (("actions", ("", "")), ("users", ("",)))})
        assert [count async for count in removing.delete(removal)]
    with pytest.raises(Unavailable):
        await removing.finish(removal, "epoch")
    assert await removing.abandoned(0) == [removal]
    assert [count async for count in removing.delete(removal)]
    assert await removing.finish(removal, "epoch")


@pytest.mark.parametrize("kind", ["delete", "clear"])
async def test_a_removal_takes_all_tables_of_the_board_and_none_of_another(
    ledger: Ledger,
    database: asyncpg.Connection,
    pool: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
) -> None:
    monkeypatch.setattr(removals, "CHUNK", 2)
    await listen(database, "occurrence.closed")
    await write(ledger, *days(3, users=3))
    await write(ledger, event("9-0", "eve", "j", 0, kind="J", attempt="join", moves="day:1 - - -"))
    await finalise(ledger)
    others = [f"{BOARD}-2", f"{BOARD}-2:day:1", f"{BOARD}2:day:1", f"{BOARD[:-1]}:day:1"]
    for table in others:
        await database.execute(
            "INSERT INTO user_score (board, user_id, score, reached_at, last_event_ms,"
            " last_event_seq) VALUES ($1, 'ann', 1, now(), 1, 1)",
            table,
        )
    removing = Removals(pool)
    removal = await removing.begin(BOARD, kind, version=9, by="eve")
    assert await database.fetchval("SELECT count(*) FROM outside_event") == 1
    assert sum([count async for count in removing.delete(removal)]) > 12
    assert await removing.finish(removal, "epoch")
    left = await database.fetch("SELECT board FROM user_score")
    assert sorted(row["board"] for row in left) == sorted(others)
    for table in ("period_occurrence", "outside_event", "score_action"):
        assert await database.fetchval(f"SELECT count(*) FROM {table}") == 0
    joins = await database.fetch("SELECT board FROM board_join")
    assert [row["board"] for row in joins] == ([] if kind == "delete" else [BOARD])

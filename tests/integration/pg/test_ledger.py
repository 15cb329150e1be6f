"""Batches in the ledger: repeated, out of order, in part, and with rows that Postgres refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from scoreboard.domain.ledger import DeadEntry, Entry, EventId, LateDuplicate
from scoreboard.errors import Unavailable
from scoreboard.pg.ledger import Ledger, LedgerSession
from scoreboard.pg.pool import open_pool
from scoreboard.wire.events import Event
from tests.support.ledger_entries import BOARD, PARTITION, START_MS, event, sums, totals
from tests.support.waiting import wait_until

HASTE = 2.0  # seconds for a statement of the hasty pool


@pytest.fixture
async def hasty(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool as that of a process which answers requests, with its connection."""
    pool = await open_pool(database_url, connections=1, timeout=HASTE)

    async def connected() -> bool:
        try:
            return bool(await pool.fetchval("SELECT true"))
        except TimeoutError:
            return False

    await wait_until(connected, description="Postgres takes a connection in time")
    yield pool
    await pool.close()


async def write(
    ledger: Ledger, *events: tuple[Event, Entry], dead: tuple[DeadEntry, ...] = ()
) -> list[LateDuplicate]:
    async with ledger.locked(PARTITION) as session:
        return (await session.write(events, dead)).late


async def test_a_batch_becomes_actions_totals_and_the_boards_mark(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    await write(
        ledger,
        event("10-0", "ann", "a1", 5, reached=START_MS + 123, i=START_MS, c=b'{"country":"FR"}'),
        event("10-1", "bob", "a1", 7),
        event("11-0", "ann", "a2", -2, score=3, version=4),
    )
    assert await totals(database) == {"ann": 3, "bob": 7} == await sums(database)
    action = await database.fetchrow(
        "SELECT * FROM score_action WHERE (user_id, action_id) = ('ann', 'a1')"
    )
    assert (action["points"], action["score"], action["status"]) == (5, 5, "accepted")
    assert action["context"] == '{"country": "FR"}'
    assert action["occurred_at"].timestamp() == START_MS / 1000
    board = await database.fetchrow("SELECT * FROM board")
    assert (board["board"], board["partition"], board["version"]) == (BOARD, PARTITION, 5)
    assert (board["event_ms"], board["event_seq"], board["mode"]) == (11, 0, "off")


async def test_the_stamps_millisecond_survives_exactly(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    moments = [START_MS + offset for offset in (1, 7, 999, 86_399_999)]
    await write(
        ledger,
        *(event(f"{i}-1", f"user{i}", reached=moment) for i, moment in enumerate(moments, 1)),
    )
    async with ledger.locked(PARTITION) as session:
        kept = [row.reached_ms async for chunk in session.source.totals(BOARD) for row in chunk]
    assert kept == moments


async def test_a_batch_written_twice_or_in_part_changes_nothing(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    events = [event(f"{i}-0", "ann", f"a{i}", 1, score=i) for i in range(1, 8)]
    await write(ledger, *events)
    before = await database.fetch("SELECT * FROM score_action ORDER BY event_ms")
    assert await write(ledger, *events) == []
    assert await write(ledger, *events[2:5]) == []
    assert await database.fetch("SELECT * FROM score_action ORDER BY event_ms") == before
    assert await totals(database) == {"ann": 7}
    assert tuple(await database.fetchrow("SELECT event_ms, event_seq FROM board")) == (7, 0)


async def test_a_total_only_moves_forward_by_event_id(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    for event_id, action, score in (("9-0", "a1", 5), ("9-1", "a2", 10), ("9-0", "a1", 5)):
        await write(ledger, event(event_id, "ann", action, 5, score=score))
    assert await totals(database) == {"ann": 10}
    assert await sums(database) == {"ann": 10}


async def test_actions_of_a_history_that_redis_had_lost_and_came_back_with_count_once(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    """Redis was emptied before 11 to 13 were persisted, went on from Postgres with 20 to 22, and a
    crash undid all that: the stream has 11 to 13 again."""
    await write(ledger, event("10-0", "ann", "a1", 5), event("10-1", "bob", "b1", 7))
    await write(
        ledger,
        event("20-0", "ann", "a2", 1, score=6),
        event("21-0", "ann", "retried", 2, score=8, attempt="second"),
        event("22-0", "cy", "c1", 3),
    )
    returned = (
        event("11-0", "ann", "retried", 2, score=7, attempt="first"),
        event("12-0", "ann", "a3", 30, score=37),
        event("13-0", "bob", "b2", 40, score=47),
    )
    for _ in range(2):
        assert await write(ledger, *returned) == []
        assert await totals(database) == {"ann": 38, "bob": 47, "cy": 3}
        assert await sums(database) == {"ann": 38, "bob": 47, "cy": 3}
    assert await database.fetchval("SELECT count(*) FROM review") == 0


async def test_an_action_under_another_event_is_a_late_duplicate_for_review(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    await write(ledger, event("10-0", "ann", "a1", 5))
    (late,) = await write(ledger, event("90-0", "ann", "a1", 5, score=10, attempt="again"))
    assert (late.board, late.event, late.points) == (BOARD, EventId(90, 0), 5)
    original = late.original
    assert (original.kept, original.score, original.event) == ("A", 5, EventId(10, 0))
    assert original.attempt == "t-ann-a1"
    review = await database.fetchrow("SELECT kind, status, attempt_id FROM review")
    assert tuple(review) == ("late_duplicate", "open", "again")
    assert await sums(database) == {"ann": 5}

    await write(
        ledger, event("91-0", "ann", "a1", 5, kind="V", e="90-0", attempt="again", w="late")
    )
    assert await totals(database) == await sums(database) == {"ann": 5}
    review = await database.fetchrow("SELECT status, reason FROM review")
    assert tuple(review) == ("settled", "late")


async def test_the_original_and_its_late_duplicate_in_one_batch_are_told_apart(
    ledger: Ledger,
) -> None:
    (late,) = await write(
        ledger,
        event("10-0", "ann", "a1", 5),
        event("90-0", "ann", "a1", 5, score=10, attempt="again"),
    )
    assert (late.event, late.original.event) == (EventId(90, 0), EventId(10, 0))


async def test_a_refusal_is_kept_for_review_and_its_approval_counts_once(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    finding = b'[{"agent":"time","feature":"hour","value":3.0}]'
    await write(ledger, event("10-0", "ann", "a1", 5, kind="R", f=finding))
    assert await sums(database) == {} == await totals(database)
    review = await database.fetchrow("SELECT kind, findings::text FROM review")
    assert review["kind"] == "refused"
    assert '"agent": "time"' in review["findings"]

    approval = event("20-0", "ann", "a1", 5)
    assert await write(ledger, approval) == []
    assert await write(ledger, approval) == []
    assert await sums(database) == {"ann": 5} == await totals(database)


async def test_another_attempt_at_an_action_that_was_refused_is_a_late_duplicate(
    ledger: Ledger,
) -> None:
    finding = b'[{"agent":"time"},{"agent":"device"},{"agent":"time"}]'
    await write(ledger, event("10-0", "ann", "a1", 5, kind="R", f=finding))
    (late,) = await write(ledger, event("90-0", "ann", "a1", 5, attempt="again"))
    assert (late.original.kept, late.original.agents) == ("R", ("time", "device"))


async def test_conflicts_and_flagged_actions_are_recorded_for_review(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    await write(
        ledger,
        event("10-0", "ann", "a1", 5, f=b'[{"agent":"behavior"}]'),
        event("10-1", "ann", "a1", 6, kind="C", attempt="other"),
    )
    reviews = await database.fetch("SELECT kind, points FROM review ORDER BY id")
    assert {tuple(row) for row in reviews} == {("flagged", 5), ("conflict", 6)}
    assert await sums(database) == {"ann": 5}


async def test_a_user_has_ten_open_conflicts_and_further_ones_are_counted_on_the_newest(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    def conflicts(first: int, last: int, user: str = "ann") -> list[tuple[Event, Entry]]:
        return [
            event(f"{n}-0", user, f"a{n}", 6, kind="C", attempt=f"{user} {n}")
            for n in range(first, last)
        ]

    async def cases(user: str = "ann") -> list[tuple[str, int]]:
        rows = await database.fetch(
            "SELECT status, further FROM review WHERE user_id = $1 ORDER BY id", user
        )
        return [tuple(row) for row in rows]

    await write(ledger, *conflicts(100, 104))
    assert await cases() == [("open", 0)] * 4
    batch = conflicts(104, 130)
    for _ in range(2):  # and a batch that is delivered again changes nothing
        await write(ledger, *batch)
        assert await cases() == [("open", 0)] * 9 + [("open", 20)]
    await write(ledger, *conflicts(130, 1000), event("1000-0", "ann", "r", 5, kind="R"))
    assert await cases() == [("open", 0)] * 9 + [("open", 890), ("open", 0)]
    await write(ledger, *conflicts(1001, 1002, "bob"))
    assert await cases("bob") == [("open", 0)]

    await database.execute("UPDATE review SET status = 'confirmed' WHERE kind = 'conflict'")
    await write(ledger, *conflicts(1002, 1004))
    assert (await cases())[-2:] == [("open", 0)] * 2


async def test_a_reverted_action_leaves_the_sum_and_the_total(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    await write(ledger, event("10-0", "ann", "a1", 5), event("11-0", "ann", "a2", 4, score=9))
    await write(ledger, event("12-0", "ann", "a1", 5, kind="V", score=4, e="10-0", w="cheat"))
    assert await totals(database) == await sums(database) == {"ann": 4}
    row = await database.fetchrow("SELECT * FROM score_action WHERE action_id = 'a1'")
    assert (row["reverted_event_ms"], row["revert_reason"]) == (12, "cheat")


@pytest.mark.parametrize("bad_at", [0, 3, 6])
async def test_a_row_that_postgres_refuses_goes_alone_to_the_dead_letters(
    ledger: Ledger, database: asyncpg.Connection, bad_at: int
) -> None:
    contexts = {bad_at: b'{"userAgent":"nul \\u0000"}'}
    events = [event(f"{i}-0", f"user{i}", c=contexts.get(i, b"{}"), version=i) for i in range(7)]
    await write(ledger, *events)
    assert set(await totals(database)) == {f"user{i}" for i in range(7) if i != bad_at}
    dead = await database.fetch("SELECT * FROM dead_event")
    assert [row["event_id"] for row in dead] == [f"{bad_at}-0"]
    assert "\\u0000" in dead[0]["error"] or "unsupported" in dead[0]["error"]
    raw = dict(zip(dead[0]["field_names"], dead[0]["field_values"], strict=True))
    assert raw == events[bad_at][1][1]


async def test_a_batch_of_nothing_but_dead_letters_still_moves_the_partitions_mark(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    await write(ledger, dead=(DeadEntry((b"7-3", {b"x": b"\x00\xff"}), "no \x00 good"),))
    row = await database.fetchrow("SELECT * FROM dead_event")
    assert (row["event_id"], row["error"]) == ("7-3", "no \\0 good")
    mark = await database.fetchrow("SELECT event_ms, event_seq FROM partition_progress")
    assert tuple(mark) == (7, 3)


async def test_only_one_holds_a_partitions_lock(ledger: Ledger) -> None:
    async with ledger.locked_if_free(1) as first, ledger.locked_if_free(1) as second:
        assert first is not None
        assert second is None
    async with ledger.locked_if_free(1) as third:
        assert third is not None


async def test_who_waits_too_long_for_a_partition_is_told_that_it_is_taken(
    ledger: Ledger, pool: asyncpg.Pool
) -> None:
    impatient = Ledger(pool, lock_patience=0.05)
    async with ledger.locked(1):
        with pytest.raises(Unavailable, match="Another process works on this partition"):
            async with impatient.locked(1):
                pass
    async with impatient.locked(1):  # the wait that was given up left nothing behind
        pass


async def overdue(pool: asyncpg.Pool, task: asyncio.Task[Any]) -> None:
    """Waits until a wait for a lock outlasts the hasty pool's patience, or ``task`` ended."""
    query = """SELECT true FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > $1"""
    patience = timedelta(seconds=1.2 * HASTE)

    async def is_overdue() -> bool:
        return task.done() or bool(await pool.fetchval(query, patience))

    await wait_until(is_overdue, description="a statement takes longer than the pool allows")


async def test_a_partition_is_waited_for_longer_than_for_a_statement(
    ledger: Ledger, pool: asyncpg.Pool, hasty: asyncpg.Pool
) -> None:
    async def lock() -> None:
        async with Ledger(hasty).locked(PARTITION):
            pass

    async with ledger.locked(PARTITION):
        task = asyncio.create_task(lock())
        await overdue(pool, task)
    await task


async def write_slowly(session: LedgerSession) -> object:
    return await session.write([event("11-0", "bob", "a1", 7)], [])


async def read_slowly(session: LedgerSession) -> object:
    return [chunk async for chunk in session.source.totals(BOARD)]


async def settle_slowly(session: LedgerSession) -> object:
    await session.source.correct(BOARD)
    return None


@pytest.mark.parametrize("work", [write_slowly, read_slowly, settle_slowly])
async def test_who_holds_the_lock_may_take_longer_than_a_request(
    work: Callable[[LedgerSession], Awaitable[object]],
    ledger: Ledger,
    pool: asyncpg.Pool,
    hasty: asyncpg.Pool,
    database: asyncpg.Connection,
) -> None:
    async def locked() -> object:
        async with Ledger(hasty).locked(PARTITION) as session:
            return await work(session)

    await write(ledger, event("10-0", "ann", "a1", 5))
    async with database.transaction():
        await database.execute("LOCK TABLE user_score")
        task = asyncio.create_task(locked())
        await overdue(pool, task)
    await task

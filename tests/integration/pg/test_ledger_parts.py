"""The ledger in parts of time: how it gets them, and that an action is in one of them only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from scoreboard.domain.ledger import Entry, LateDuplicate
from scoreboard.errors import ConfigurationError, Unavailable
from scoreboard.pg import ledger_parts
from scoreboard.pg.grants import grant
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.ledger_parts import NEAR, PART, LedgerParts, first_bound, open_ahead, partition
from scoreboard.pg.migrations import migrate
from scoreboard.pg.sql import statements
from scoreboard.wire.events import Event
from tests.support.ledger_entries import PARTITION, event, sums, totals
from tests.support.waiting import wait_until

_sql = statements("ledger_parts")


async def write(ledger: Ledger, *events: tuple[Event, Entry]) -> list[LateDuplicate]:
    async with ledger.locked(PARTITION) as session:
        return (await session.write(events, ())).late


async def parts(database: asyncpg.Connection) -> dict[str, int]:
    """How many actions each part has."""
    rows = await database.fetch(
        "SELECT tableoid::regclass::text AS part, count(*) FROM score_action GROUP BY 1"
    )
    return {row["part"]: row["count"] for row in rows}


async def ends(database: asyncpg.Connection) -> list[int]:
    return [
        row["to_ms"] for row in await database.fetch("SELECT * FROM ledger_part ORDER BY to_ms")
    ]


def unheard(_: str) -> None:
    pass


@pytest.fixture
async def database_url(bare_url: str) -> str:
    """Of a database that no other test has cut."""
    connection = await asyncpg.connect(bare_url)
    await migrate(connection)
    await connection.close()
    return bare_url


@pytest.fixture
async def bound(database: asyncpg.Connection) -> int:
    """Where the first part ends and the second begins, of a ledger that has two."""
    assert await partition(database, unheard)
    bound = (await ends(database))[0]
    await open_ahead(database, bound - 1)
    return bound


async def test_the_ledger_is_one_plain_table_until_it_is_cut(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    await LedgerParts(pool).keep_ahead()
    await write(ledger, event("10-0", "ann", "a1", 5))
    kind = "SELECT relkind FROM pg_class WHERE oid = 'score_action'::regclass"
    assert await database.fetchval(kind) == b"r"
    assert await ends(database) == []
    assert await partition(database, unheard)
    assert await database.fetchval(kind) == b"p"
    assert await parts(database) == {"score_action_first": 1}
    assert not await partition(database, unheard)


async def test_parts_are_opened_until_the_last_ends_five_weeks_ahead(
    database: asyncpg.Connection, pool: asyncpg.Pool, bound: int
) -> None:
    now = await database.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
    assert now + 7 * ledger_parts.DAY <= bound <= now + 7 * ledger_parts.DAY + PART
    assert await ends(database) == [bound, bound + PART]
    await LedgerParts(pool).keep_ahead()
    assert await ends(database) == [bound, bound + PART]
    assert await open_ahead(database, bound) == 1
    assert await ends(database) == [bound, bound + PART, bound + 2 * PART]


async def test_writers_go_on_while_the_ledger_is_cut_and_somebody_reads_it_for_long(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    written, steps = 0, list[str]()

    async def keep_writing() -> None:
        nonlocal written
        while True:
            await write(ledger, event(f"{1000 + written}-0", "ann", f"b{written}", 1))
            written += 1

    async with pool.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT FROM score_action")
        writing = asyncio.create_task(keep_writing())
        cutting = asyncio.create_task(partition(database, steps.append))
        await asyncio.sleep(0)
        seen = written

        async def more() -> bool:
            return written >= seen + 20 or writing.done() or cutting.done()

        await wait_until(more, description="20 batches more are written")
        assert not cutting.done()
        assert not writing.done()
    assert await cutting
    seen = written
    await wait_until(more, description="and 20 behind the cut")
    writing.cancel()
    await asyncio.wait((writing,))
    assert (await sums(database))["ann"] >= written


@pytest.mark.parametrize("step", ["bound", "checking", "first part", "statistics"])
async def test_a_cut_that_was_interrupted_goes_on(
    step: str, ledger: Ledger, database: asyncpg.Connection
) -> None:
    await write(ledger, event("10-0", "ann", "a1", 5))

    def stop(told: str) -> None:
        if step in told:
            raise ConnectionResetError

    if step == "bound":
        now = await database.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
        await database.execute(_sql["bound"].format(bound=first_bound(now)))
    else:
        with pytest.raises(Unavailable):
            await partition(database, stop)
    await write(ledger, event("11-0", "ann", "a2", 5, score=10))
    await partition(database, unheard)
    assert await parts(database) == {"score_action_first": 2}
    assert await ends(database)
    assert await database.fetchval("SELECT ledger_bound()") is None


async def test_a_cut_that_was_left_is_given_up_before_events_reach_its_bound(
    ledger: Ledger, database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    now = await database.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
    await database.execute(_sql["bound"].format(bound=now + 2 * NEAR))
    await LedgerParts(pool).keep_ahead()
    assert await database.fetchval("SELECT ledger_bound()") == now + 2 * NEAR
    await write(ledger, event(f"{now + NEAR + 1}-0", "ann", "a1", 5))
    await LedgerParts(pool).keep_ahead()
    assert await database.fetchval("SELECT ledger_bound()") is None
    await write(ledger, event(f"{now + 2 * NEAR + 1}-0", "ann", "a2", 5, score=10))
    assert await sums(database) == {"ann": 10}


async def test_a_ledger_with_events_of_the_far_future_is_not_cut_and_goes_on(
    ledger: Ledger, database: asyncpg.Connection
) -> None:
    await write(ledger, event(f"{2**52}-0", "ann", "a1", 5))
    await database.execute("DELETE FROM partition_progress")
    with pytest.raises(ConfigurationError, match="far future"):
        await partition(database, unheard)
    assert await database.fetchval("SELECT ledger_bound()") is None


async def test_an_action_that_an_older_part_has_is_a_late_duplicate(
    ledger: Ledger, database: asyncpg.Connection, bound: int
) -> None:
    await write(ledger, event("10-0", "ann", "a1", 5), event("10-1", "bob", "b1", 7))
    late = await write(
        ledger,
        event(f"{bound}-0", "ann", "a1", 5, score=10, attempt="again"),
        event(f"{bound}-1", "ann", "a2", 1, score=11),
    )
    assert [(one.event.ms, one.original.event.ms) for one in late] == [(bound, 10)]
    assert await sums(database) == {"ann": 6, "bob": 7}
    late = await write(
        ledger, event(f"{bound + PART}-0", "ann", "a2", 1, score=12, attempt="again")
    )
    assert [one.original.event.ms for one in late] == [bound]
    assert await sums(database) == {"ann": 6, "bob": 7}


async def test_of_an_action_twice_in_a_batch_at_a_bound_the_earlier_counts(
    ledger: Ledger, database: asyncpg.Connection, bound: int
) -> None:
    late = await write(
        ledger,
        event(f"{bound - 1}-0", "ann", "a1", 5),
        event(f"{bound}-0", "ann", "a1", 5, score=10, attempt="again"),
    )
    assert [one.event.ms for one in late] == [bound]
    assert await parts(database) == {"score_action_first": 1}


async def test_an_event_of_a_history_that_was_lost_asks_later_parts_too(
    ledger: Ledger, database: asyncpg.Connection, bound: int
) -> None:
    await write(ledger, event(f"{bound}-0", "ann", "a1", 5))
    await write(ledger, event(f"{bound - 5}-0", "ann", "a1", 5, attempt="before"))
    assert await sums(database) == {"ann": 5} == await totals(database)


async def test_a_persister_of_an_earlier_version_counts_no_action_twice(
    ledger: Ledger, database: asyncpg.Connection, bound: int
) -> None:
    await write(ledger, event("10-0", "ann", "a1", 5), event("10-1", "bob", "b1", 7))
    insert = statements("ledger")["insert_actions"]
    async with ledger.locked(PARTITION) as session, session.connection.transaction():
        connection: Any = session.connection
        await connection.execute("SET LOCAL scoreboard.asks = 'off'")
        await connection.copy_records_to_table(
            "staged",
            records=[
                ("A", "arena", user, action, 5, 5, ms, 0, f"t{ms}")
                for user, action, ms in (
                    ("ann", "a1", bound),  # known
                    ("ann", "a2", bound - 1),  # in two parts
                    ("ann", "a2", bound + 1),
                    ("ann", "a3", bound + 2),  # new
                )
            ],
            columns=(
                *("kind", "board", "user_id", "action_id", "points", "score"),
                *("event_ms", "event_seq", "attempt_id"),
            ),
        )
        assert await connection.execute(insert) == "INSERT 0 2"
    assert await sums(database) == {"ann": 15, "bob": 7}


@pytest.mark.parametrize("asks", ["on", "off"])
async def test_an_approval_moves_a_refused_action_into_the_part_of_its_event(
    asks: str, ledger: Ledger, database: asyncpg.Connection, bound: int
) -> None:
    await write(ledger, event("10-0", "ann", "a1", 5, kind="R", attempt="t1", f=b"[]"))
    async with ledger.locked(PARTITION) as session:
        await session.connection.execute(f"SET scoreboard.asks = '{asks}'")
        await session.write([event(f"{bound}-0", "ann", "a1", 5, attempt="t1")], ())
    assert await sums(database) == {"ann": 5}
    row = await database.fetchrow("SELECT status, tableoid::regclass::text FROM score_action")
    assert row["status"] == "accepted"
    assert row["tableoid"] != "score_action_first"


async def test_what_comes_for_a_time_without_a_part_is_kept_until_there_is_one(
    ledger: Ledger, database: asyncpg.Connection, bound: int
) -> None:
    far = bound + PART + 5
    await write(ledger, event(f"{far}-0", "ann", "a1", 5))
    assert await parts(database) == {"score_action_other": 1}
    assert [one.event.ms for one in await write(ledger, event(f"{far}-1", "ann", "a1", 5))] == [far]
    assert await open_ahead(database, bound + 1) == 1
    assert "score_action_other" not in await parts(database)
    assert await sums(database) == {"ann": 5}


@pytest.fixture
async def service(
    database: asyncpg.Connection, worker_id: str, pool: asyncpg.Pool
) -> AsyncIterator[str]:
    """A role with the rights of those who persist."""
    role = f"parts {worker_id}"
    await database.execute(f'CREATE ROLE "{role}"')
    await grant(database, role)
    yield role
    await database.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


async def test_who_persists_may_open_parts_and_use_them_and_owns_none(
    database: asyncpg.Connection, service: str, bound: int
) -> None:
    await database.execute(f'SET ROLE "{service}"')
    assert await open_ahead(database, bound + 1) == 1
    lacking = await database.fetchrow(statements("fitness")["lacking_rights"])
    assert lacking["lacking"] == []
    await database.execute("DELETE FROM score_action")
    await database.execute("RESET ROLE")

"""Batches that one statement writes, beside the way of those that do more than add actions."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg
import pytest

from scoreboard.domain.ledger import Entry
from scoreboard.errors import Unavailable
from scoreboard.pg import plain_batches
from scoreboard.pg.ledger import Ledger
from scoreboard.wire.events import Event
from tests.support.ledger_entries import PARTITION, START_MS, event, totals
from tests.support.waiting import wait_until

TABLES = {
    "score_action": "board, attempt_id, recorded_at",
    "user_score": "board, created, updated",
    "board": "board, partition, created, updated",
    "partition_progress": "partition",
    "review": "id, board, attempt_id, episode, created",
}


def some_batches(rng: random.Random, board: str) -> list[list[tuple[Event, Entry]]]:
    """Of few users and few actions, so that some are known, and some in a batch twice; some come
    again, and few are about something else."""
    batches: list[list[tuple[Event, Entry]]] = []
    number = 0
    for _ in range(60):
        batch = []
        for _ in range(rng.randint(1, 8)):
            number += 1
            others = {"kind": "R"} if rng.random() < 0.02 else {"i": START_MS, "c": b'{"ip":"::1"}'}
            batch.append(
                event(
                    f"{1000 + number // 3}-{number % 3}",
                    f"user{rng.randrange(5)}",
                    f"a{rng.randrange(400)}",
                    rng.randint(-9, 9),
                    score=rng.randint(-99, 99),
                    reached=START_MS + number,
                    version=number,
                    board=board,
                    attempt=f"{board}-{number}",
                    **others,
                )
            )
        batches.append(batch)
        if rng.random() < 0.1:
            batches.append(rng.choice(batches))
    return batches


async def found(database: asyncpg.Connection, board: str, partition: int) -> dict[str, list[str]]:
    """What the tables say of the board and its partition."""
    rows: dict[str, list[str]] = {}
    for table, aside in TABLES.items():
        where = f"partition = {partition}" if table == "partition_progress" else "board = $1"
        query = f"SELECT * FROM {table} WHERE {where}"
        told = await database.fetch(query, *(() if "partition =" in where else (board,)))
        left_out = aside.split(", ")
        rows[table] = sorted(
            str({name: value for name, value in row.items() if name not in left_out})
            for row in told
        )
    return rows


@pytest.mark.parametrize("seed", range(3))
async def test_one_statement_leaves_what_the_others_leave(
    ledger: Ledger, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    ways = {"one": 1, "many": 2}
    new: dict[str, list[bool]] = {board: [] for board in ways}
    for board, partition in ways.items():
        if board == "many":
            monkeypatch.setattr(plain_batches, "fits", lambda _: False)
        for batch in some_batches(random.Random(seed), board):
            async with ledger.locked(partition) as session:
                new[board].append((await session.write(batch, [])).new)
    left = {board: await found(database, board, partition) for board, partition in ways.items()}
    assert left["one"] == left["many"]
    assert new["one"] == new["many"]
    assert {True, False} == set(new["one"])


async def test_most_batches_are_written_by_one_statement(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, database: asyncpg.Connection
) -> None:
    monkeypatch.delattr("scoreboard.pg.ledger.LedgerSession._merge")
    async with ledger.locked(PARTITION) as session:
        await session.write([event("10-0", "ann", "a1", 5), event("10-1", "bob", "a1", 3)], [])
        await session.write([event("10-2", "ann", "a2", 2, score=7)], [])
    assert await totals(database) == {"ann": 7, "bob": 3}


async def test_a_persister_that_vanishes_amid_the_statement_leaves_nothing_of_the_batch(
    ledger: Ledger, database: asyncpg.Connection, database_url: str
) -> None:
    async with ledger.locked(PARTITION) as session:
        await session.write([event("10-0", "ann", "a1", 5)], [])
    more = [event("11-0", "ann", "a2", 2, score=7), event("11-1", "bob", "a1", 3)]
    killer = await asyncpg.connect(database_url)

    async def write(*_: Any) -> None:
        async with ledger.locked(PARTITION) as session:
            await session.write(more, [])

    async def waiting() -> bool:
        return bool(
            await killer.fetchval(
                "SELECT true FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database() AND query LIKE '%WITH staged%'"
            )
        )

    async with database.transaction():  # it keeps the statement from its end
        await database.execute("SELECT FROM partition_progress FOR UPDATE")
        writing = asyncio.create_task(write())
        await wait_until(waiting, description="the statement is under way")
        await killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with pytest.raises(Unavailable):
            await writing
    await killer.close()
    assert await totals(database) == {"ann": 5}
    assert await database.fetchval("SELECT count(*) FROM score_action") == 1
    await write()
    assert await totals(database) == {"ann": 7, "bob": 3}

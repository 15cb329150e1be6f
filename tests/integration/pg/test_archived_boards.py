"""Reads from Postgres: the same answers as Redis gives, in the same order."""

from __future__ import annotations

import random
from typing import Any

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from scoreboard.domain.stamps import stamp
from scoreboard.domain.standings import percentile
from scoreboard.errors import Unavailable, UnknownBoard
from scoreboard.pg.archived_boards import ArchivedBoards, _sql
from scoreboard.pg.ledger import Ledger
from scoreboard.pg.pool import open_pool
from tests.support.ledger_entries import BOARD, PARTITION, START_MS, event

SEED = 7


async def fill(ledger: Ledger, rows: list[tuple[str, int, int]]) -> None:
    """Users with their totals and the milliseconds of their stamps."""
    events = [
        event(f"{i}-0", user, f"a{i}", total, score=total, reached=reached)
        for i, (user, total, reached) in enumerate(rows, 1)
    ]
    async with ledger.locked(PARTITION) as session:
        await session.write(events, [])


@pytest.fixture
def boards(pool: asyncpg.Pool) -> ArchivedBoards:
    return ArchivedBoards(pool)


async def test_every_read_agrees_with_a_zset_of_the_same_rows(
    boards: ArchivedBoards, ledger: Ledger, redis: Redis
) -> None:
    draw = random.Random(SEED)
    users = [f"user{i}" for i in range(200)]
    rows = [(user, draw.randint(-5, 20), START_MS + i) for i, user in enumerate(users)]
    draw.shuffle(rows)
    await fill(ledger, rows)
    await redis.zadd("z", {user: stamp(total, reached) for user, total, reached in rows})
    best_first: Any = await redis.zrevrange("z", 0, -1)
    order = [user.decode() for user in best_first]

    version, top = await boards.top(BOARD)
    assert version == 1
    assert [entry["userId"] for entry in msgspec.json.decode(top)] == order[:10]

    ranks = {user: rank for rank, user in enumerate(order, 1)}
    asked = [*draw.sample(users, 50), "nobody"]
    standings = await boards.standings(BOARD, asked)
    assert [s and (s.user_id, s.rank, s.percentile) for s in standings] == [
        (user, ranks[user], percentile(ranks[user], 200)) if user in ranks else None
        for user in asked
    ]
    for user in (order[0], order[2], order[100], order[-1]):
        (alone,) = await boards.standings(BOARD, [user])
        assert alone is not None
        assert alone.rank == ranks[user]
        around = await boards.around(BOARD, user, 4)
        assert around is not None
        start = max(0, ranks[user] - 5)
        assert [s.user_id for s in around] == order[start : ranks[user] + 4]
        assert [s.rank for s in around] == [ranks[s.user_id] for s in around]


async def test_hidden_users_are_nowhere(
    boards: ArchivedBoards, ledger: Ledger, database: asyncpg.Connection
) -> None:
    await fill(ledger, [("ann", 30, START_MS), ("bob", 20, START_MS), ("cyd", 10, START_MS)])
    await database.execute("UPDATE user_score SET hidden = true WHERE user_id = 'ann'")
    _, top = await boards.top(BOARD)
    assert top == b'[{"userId":"bob","score":20},{"userId":"cyd","score":10}]'
    first, hidden = await boards.standings(BOARD, ["bob", "ann"])
    assert first is not None
    assert (first.rank, first.percentile, hidden) == (1, 100.0, None)
    assert await boards.around(BOARD, "ann", 3) is None


async def test_a_board_that_nobody_made_is_unknown(boards: ArchivedBoards) -> None:
    with pytest.raises(UnknownBoard):
        await boards.top("nothing")
    with pytest.raises(UnknownBoard):
        await boards.standings("nothing", ["ann"])
    with pytest.raises(UnknownBoard):
        await boards.around("nothing", "ann", 3)


async def test_a_postgres_that_is_not_there_is_unavailable() -> None:
    pool = await open_pool("postgresql://u:p@127.0.0.1:1/d", connections=1, timeout=2)
    with pytest.raises(Unavailable):
        await ArchivedBoards(pool).top(BOARD)
    await pool.close()


async def test_a_user_who_came_after_the_count_of_players_is_the_last_of_them(
    boards: ArchivedBoards, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(ledger, [("ann", 5, START_MS)])
    monkeypatch.setitem(_sql, "players", "SELECT count(*) FROM user_score WHERE board = $1 || '?'")
    (standing,) = await boards.standings(BOARD, ["ann"])
    assert standing is not None
    assert (standing.rank, standing.percentile) == (1, 100.0)

"""What the one script counts in occurrences is what Postgres has of them."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest

from scoreboard.domain.boards import BoardSettings
from scoreboard.domain.periods import Period
from scoreboard.domain.stamps import stamp
from scoreboard.pg.ledger_audit import LedgerAudit
from tests.support.moderated_arena import Moderated

START = datetime(2026, 1, 1, tzinfo=UTC)
PERIODS = (  # none turns while the test runs
    Period("age", every="P3000D", start=START),
    Period("era", every="P2000D", start=START),
)


@pytest.mark.parametrize(
    "rules",
    [
        BoardSettings(periods=PERIODS),
        BoardSettings(periods=PERIODS, operator="best", order="asc"),
        BoardSettings(periods=PERIODS, operator="last"),
    ],
    ids=str,
)
async def test_every_table_is_the_same_in_both(
    court: Moderated, rules: BoardSettings, pool: asyncpg.Pool
) -> None:
    arena = court.arena
    await court.moderator.configure("arena", lambda _: rules, by="eve")
    await arena.submit(("ann", "a1", 5), ("bob", "b1", 7), ("ann", "a1", 5))
    await arena.submit(("ann", "a2", 3), ("ann", "a3", 4), ("bob", "b1", 8))
    await arena.persist()
    audit = LedgerAudit(pool)
    kept = await audit.occurrences("arena")
    assert [(one.period, one.number, one.state) for one in kept] == [
        ("age", 1, "open"),
        ("era", 1, "open"),
    ]
    async with arena.durable.ledger.locked(arena.keys.partition) as session:
        for table in ("arena", *(one.table for one in kept)):
            rows = [row async for chunk in session.source.totals(table) for row in chunk]
            assert {row.user_id for row in rows} == {"ann", "bob"}
            in_redis = await arena.zset(arena.durable.keyspace.board(table).board)
            assert in_redis == {row.user_id: stamp(row.total, row.reached_ms) for row in rows}
            audited = [row async for _, chunk in audit.totals("arena", [table]) for row in chunk]
            assert {row.user_id for row in audited} == {"ann", "bob"}
            assert all(row.total == row.ledger for row in audited)

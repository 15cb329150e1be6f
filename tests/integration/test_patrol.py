"""The continuous audit reaches every user and tells what differs."""

from __future__ import annotations

import asyncpg
import pytest

from scoreboard.pg.audit import LedgerAudit
from scoreboard.redisio.audit import PatrolReports
from scoreboard.roles.recovery import verifier_of
from scoreboard.workers import patrol
from scoreboard.workers.patrol import Patrol
from tests.integration.ledger_tools import PARTITIONS
from tests.integration.service import Service


async def test_a_difference_is_found_within_as_many_rounds_as_it_takes_to_walk_the_board(
    arena: Service,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patrol, "USERS", 4)
    await arena.submit(*((f"user{i}", "a1", i) for i in range(10)))
    await arena.persist()
    postgres, reports = LedgerAudit(pool), PatrolReports(arena.redis)
    verifier = verifier_of(arena.durable, arena.redis, postgres, partitions=PARTITIONS)
    walking = Patrol(postgres, verifier, reports)
    assert await reports.latest() is None
    rounds = [await walking.round() for _ in range(3)]
    assert [(r.users, r.differences) for r in rounds] == [(4, 0), (4, 0), (2, 0)]

    await database.execute("UPDATE user_score SET score = 999 WHERE user_id = 'user9'")
    rounds = [await walking.round() for _ in range(3)]
    assert [r.differences for r in rounds] == [0, 0, 1]
    assert await reports.latest() == rounds[-1]

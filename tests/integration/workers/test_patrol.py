"""The continuous audit reaches every user and tells what differs."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.assembly.recovery import verifier_of
from scoreboard.domain.audit import Difference
from scoreboard.pg.ledger_audit import LedgerAudit
from scoreboard.redisio.patrol_reports import PatrolReports
from scoreboard.workers import patrol
from scoreboard.workers.patrol import Patrol
from tests.support.arena import Arena


async def test_a_difference_is_found_within_as_many_rounds_as_it_takes_to_walk_the_board(
    arena: Arena,
    pool: asyncpg.Pool,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patrol, "USERS", 4)
    await arena.submit(*((f"user{i}", "a1", i) for i in range(10)))
    await arena.persist()
    postgres, reports = LedgerAudit(pool), PatrolReports(arena.redis)
    verifier = verifier_of(arena.durable, arena.redis, postgres)
    walking = Patrol(postgres, verifier, reports)
    assert await reports.latest() is None
    rounds = [await walking.round() for _ in range(3)]
    assert [(r.users, r.differences) for r in rounds] == [(4, 0), (4, 0), (2, 0)]

    await database.execute("UPDATE user_score SET score = 999 WHERE user_id = 'user9'")
    rounds = [await walking.round() for _ in range(3)]
    assert [r.differences for r in rounds] == [0, 0, 1]
    assert await reports.latest() == rounds[-1]


class DifferingBoards:
    """Two boards on which every user has two differences; nothing is kept of the report."""

    async def boards(self) -> list[str]:
        return ["arena", "other"]

    async def next_users(self, board: str, after: str, count: int) -> list[str]:
        return [f"user{i}" for i in range(count)]

    async def check(self, board: str, users: list[str]) -> list[Difference]:
        return [
            Difference(board, user, where, "5", "3")
            for user in users
            for where in ("user_score", "redis")
        ]

    async def publish(self, *_: object, valid: float) -> None: ...


async def test_a_board_that_differs_whole_is_one_line_in_the_log() -> None:
    differing: Any = DifferingBoards()
    with capture_logs() as logs:
        await Patrol(differing, differing, differing).round()

    assert sorted(entry["board"] for entry in logs) == ["arena", "other"]
    for entry in logs:
        assert entry["users"] == patrol.USERS
        assert entry["where"] == {"user_score": patrol.USERS, "redis": patrol.USERS}
        assert entry["examples"] == [
            "user 'user0': user_score has 3, the ledger 5",
            "user 'user0': redis has 3, the ledger 5",
            "user 'user1': user_score has 3, the ledger 5",
        ]

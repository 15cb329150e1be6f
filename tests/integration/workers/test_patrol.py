"""The continuous audit reaches every user and tells what differs."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from scoreboard.assembly.recovery import verifier_of
from scoreboard.domain.audit import Difference, PatrolReport
from scoreboard.domain.kept_occurrences import KeptOccurrence
from scoreboard.errors import Unavailable
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


async def test_boards_without_further_users_keep_no_other_from_its_audit(
    arena: Arena, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patrol, "USERS", 3)
    await arena.durable.rebuilder.ensure("nobody's", create=True)
    await arena.submit(*((f"user{i}", "a1", i) for i in range(3)))
    await arena.persist()
    postgres, reports = LedgerAudit(pool), PatrolReports(arena.redis)
    walking = Patrol(postgres, verifier_of(arena.durable, arena.redis, postgres), reports)
    rounds = [await walking.round() for _ in range(3)]
    assert [r.users for r in rounds] == [3, 0, 3]


class DifferingBoards:
    """Two boards on which every user has two differences; nothing is kept of the report."""

    async def boards(self) -> list[str]:
        return ["arena", "other"]

    async def next_users(self, board: str, after: str, count: int) -> list[str]:
        return [f"user{i}" for i in range(count)]

    async def occurrences(self, board: str) -> list[KeptOccurrence]:
        return []

    async def check(self, board: str, users: list[str]) -> list[Difference]:
        return [
            Difference(board, user, where, "5", "3")
            for user in users
            for where in ("user_score", "redis")
        ]

    async def check_periods(self, board: str) -> list[Difference]:
        return []

    async def now_ms(self) -> int:
        return 0

    async def publish(self, *_: object, valid: float) -> None: ...


class BoardsOfWhichOneIsLocked(DifferingBoards):
    """No user differs; the partition of ``other`` is kept by somebody."""

    def __init__(self) -> None:
        self.published: list[PatrolReport] = []

    async def check(self, board: str, _: list[str]) -> list[Difference]:
        if board == "other":
            raise Unavailable("Another process works on this partition.")
        return []

    async def publish(self, *reports: Any, valid: float) -> None:
        self.published += reports


async def test_a_board_that_cannot_be_compared_keeps_no_report_of_the_others_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    locked: Any = BoardsOfWhichOneIsLocked()
    orders = iter((["arena", "other"], ["other", "arena"]))
    monkeypatch.setattr("random.sample", lambda *_: next(orders))
    walking = Patrol(locked, locked, locked)
    report = await walking.round()
    assert report.users == patrol.USERS
    with pytest.raises(Unavailable):
        await walking.round()
    assert locked.published == [report]


async def test_a_board_that_differs_whole_is_one_line_in_the_log() -> None:
    differing: Any = DifferingBoards()
    with capture_logs() as logs:
        await Patrol(differing, differing, differing).round()

    assert sorted(entry["board"] for entry in logs) == ["arena", "other"]
    for entry in logs:
        assert entry["users"] == patrol.USERS
        assert entry["where"] == {"user_score": patrol.USERS, "redis": patrol.USERS}
        assert entry["examples"] == [
            "user_score has 3, the ledger 5",
            "redis has 3, the ledger 5",
            "user_score has 3, the ledger 5",
        ]
        assert "user0" not in str(entry), "some players are anonymous"

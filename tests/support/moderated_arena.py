"""The board ``arena`` behind a gate, and its moderator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from redis.asyncio import Redis

from scoreboard.assembly.moderation import moderator
from scoreboard.domain.boards import BoardSettings, GateMode
from scoreboard.domain.reviews import Filter, Review
from scoreboard.pg.cases import LedgerCases
from scoreboard.pg.reviews import Reviews
from scoreboard.settings import Settings
from scoreboard.wire.keys import Keyspace
from scoreboard.workers.moderator import Moderator
from scoreboard.write_path.judged_calls import JudgedCalls
from tests.support.arena import Arena, opened_arena
from tests.support.ledger_entries import sums, totals
from tests.support.suspicious_gate import OneGate, SuspiciousGate


@dataclass
class Moderated:
    """The service, who decides on its cases, and where they are looked up."""

    arena: Arena
    moderator: Moderator
    reviews: Reviews
    gate: SuspiciousGate
    judged: JudgedCalls
    database: asyncpg.Connection

    async def configure(self, **rules: Any) -> None:
        """An administrator gives the board these rules, and the others their defaults."""
        settings = BoardSettings(**rules)
        await self.moderator.configure("arena", lambda _: settings, by="mod")

    async def set_mode(self, mode: GateMode) -> None:
        await self.moderator.configure("arena", lambda _: BoardSettings(mode=mode), by="eve")

    async def case(self, user: str, action: str, points: int) -> Review:
        """Submits an action and gives the case that it became."""
        await self.arena.submit((user, action, points))
        await self.arena.persist()
        return await self.case_of(action)

    async def case_of(self, action: str) -> Review:
        found = await self.reviews.page(Filter(), before=None, limit=100)
        return next(review for review in found if review.action_id == action)

    async def agree(self, expected: dict[str, int]) -> None:
        """The ledger's sums, user_score and Redis (shown and hidden) all have these totals."""
        await self.arena.durable.rebuilder.ensure("arena", create=False)
        await self.arena.persist()
        shown, hidden = await self.arena.zset(), await self.arena.zset(self.arena.keys.hidden)
        redis = {user: int(score // 1) for user, score in {**shown, **hidden}.items()}
        assert redis == await totals(self.database) == expected
        assert await sums(self.database) == {u: n for u, n in expected.items() if n}

    async def audited(self) -> list[tuple[str, str, str]]:
        """(who, what, why) of every decision on a case or a user, oldest first."""
        rows = await self.database.fetch(
            "SELECT actor, decision, reason FROM admin_audit WHERE decision <> 'board_set'"
            " ORDER BY id"
        )
        return [tuple(row) for row in rows]


@asynccontextmanager
async def moderated(
    settings: Settings, redis: Redis, pool: asyncpg.Pool, database: asyncpg.Connection
) -> AsyncIterator[Moderated]:
    gate = SuspiciousGate()
    judged = JudgedCalls(
        redis, OneGate(gate), LedgerCases(pool), keyspace=Keyspace(settings.partitions)
    )
    async with opened_arena(settings, redis, pool, judged=judged) as arena:
        decides = moderator(settings, redis, pool, arena.durable)
        yield Moderated(arena, decides, Reviews(pool), gate, judged, database)

"""What the audit finds of the board ``arena``."""

from __future__ import annotations

import asyncpg

from scoreboard.assembly.recovery import verifier_of
from scoreboard.domain.audit import Difference
from scoreboard.pg.ledger_audit import LedgerAudit
from tests.support.arena import Arena


async def differences(arena: Arena, pool: asyncpg.Pool) -> list[Difference]:
    found: list[Difference] = []
    verifier = verifier_of(arena.durable, arena.redis, LedgerAudit(pool))
    await verifier.verify("arena", found.append, lambda _: None)
    return found

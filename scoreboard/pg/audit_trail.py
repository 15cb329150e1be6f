"""Reads the audit of what administrators and operators did."""

from __future__ import annotations

import asyncpg
import msgspec

from scoreboard.domain.admin_audit import AuditEntry, AuditFilter
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("admin_audit")

# Seconds. Only the ids have an index: a line is what somebody decided, and three million of them
# were looked through in 0.3 to 1.3 s.
PATIENCE = 5.0


class AuditTrail:
    """What was recorded."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(self, wanted: AuditFilter, *, before: int, limit: int) -> list[AuditEntry]:
        """Up to ``limit`` lines, newest first, with ids below ``before``. Raises Unavailable when
        Postgres is away, or takes too long."""
        boards = None if wanted.boards is None else [*wanted.boards]
        with translated():
            rows = await self._pool.fetch(
                _sql["page"],
                before,
                wanted.actor,
                wanted.decision,
                wanted.board,
                wanted.user,
                boards,
                wanted.since,
                wanted.until,
                limit,
                timeout=PATIENCE,
            )
        return [
            AuditEntry(**{**row, "details": msgspec.json.decode(row["details"])}) for row in rows
        ]

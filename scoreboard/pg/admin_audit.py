"""The audit of what moderators and operators decide."""

from __future__ import annotations

from typing import Any

from scoreboard.domain.shards import sharded_board
from scoreboard.pg.sql import statements

_sql = statements("admin_audit")


async def record(
    connection: Any,
    decision: str,
    *,
    by: str,
    board: str | None = None,
    user: str | None = None,
    action: str | None = None,
    review_id: int | None = None,
    reason: str = "",
    details: str = "{}",
) -> None:
    """Writes one line, in the transaction of the decision itself. ``details`` is JSON."""
    await connection.execute(
        _sql["record"],
        *(by, decision, board and sharded_board(board)),
        *(user, action, review_id, reason, details),
    )

"""What holds for all boards of an installation."""

from __future__ import annotations

from typing import Any

from scoreboard.domain.identifiers import IdRule
from scoreboard.pg.sql import statements

_sql = statements("installation")


async def id_rule(connection: Any, *, timeout: float | None = None) -> IdRule:
    """Which user ids a new board takes unless it says so itself."""
    rule: IdRule = await connection.fetchval(_sql["ids"], timeout=timeout)
    return rule

"""Entries of the streams that could not be written."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from scoreboard.domain.ledger import DeadLetter
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("dead_letters")


class DeadLetters:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def list(self, names: Sequence[str] | None, limit: int) -> list[DeadLetter]:
        """Up to ``limit`` letters, the oldest first: those with these names, or any (None)."""
        with translated():
            rows = await self._pool.fetch(_sql["list"], names, limit)
        return [
            DeadLetter(
                row["partition"],
                (
                    row["event_id"].encode(),
                    dict(zip(row["field_names"], row["field_values"], strict=True)),
                ),
                row["error"],
                row["created"],
            )
            for row in rows
        ]

    async def drop(self, letter: DeadLetter) -> None:
        """Removes the letter for good."""
        with translated():
            await self._pool.execute(_sql["drop"], letter.partition, letter.entry[0].decode())

    async def explain(self, letter: DeadLetter, error: str) -> None:
        """Keeps the letter with another error."""
        with translated():
            await self._pool.execute(
                _sql["explain"], letter.partition, letter.entry[0].decode(), error
            )

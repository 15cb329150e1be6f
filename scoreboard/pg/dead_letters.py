"""Entries of the streams that could not be written."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from scoreboard.domain.ledger import DeadLetter, DeadPlace
from scoreboard.pg import admin_audit
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("dead_letters")


class DeadLetters:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def list(
        self, names: Sequence[str] | None, limit: int, *, after: DeadPlace | None = None
    ) -> list[DeadLetter]:
        """Up to ``limit`` letters, the oldest first: those with these names, or any (None), that
        stand behind the place ``after``."""
        with translated():
            rows = await self._pool.fetch(_sql["list"], names, limit, *(after or (None,) * 3))
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

    async def drop(self, letter: DeadLetter, *, by: str, written_to: str | None = None) -> None:
        """Removes the letter for good; the audit says that it was dropped, or that it is written to
        this board now."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                event = letter.entry[0].decode()
                if await connection.fetchval(_sql["drop"], letter.partition, event) is None:
                    return  # somebody else did
                await admin_audit.record(
                    connection,
                    "dead_letter_written" if written_to else "dead_letter_dropped",
                    by=by,
                    board=written_to,
                    details=msgspec.json.encode({"letter": letter.name}).decode(),
                )

    async def explain(self, letter: DeadLetter, error: str) -> None:
        """Keeps the letter with another error."""
        with translated():
            await self._pool.execute(
                _sql["explain"], letter.partition, letter.entry[0].decode(), error
            )

"""Entries that could not be written."""

from __future__ import annotations

import asyncpg

from tests.support.ledger_entries import PARTITION, START_MS


async def bury(
    database: asyncpg.Connection, raw: dict[bytes, bytes], number: int = 1, *, error: str = "no"
) -> str:
    """Puts an entry, the oldest first by their numbers, among the dead letters; its name."""
    event = f"{START_MS}-{number}"
    await database.execute(
        "INSERT INTO dead_event VALUES"
        " ($1, $2, $3, $4, $5, '2026-01-01Z'::timestamptz + make_interval(days => $6))",
        PARTITION,
        event,
        [*raw.keys()],
        [*raw.values()],
        error,
        number - 1,
    )
    return f"{PARTITION}:{event}"

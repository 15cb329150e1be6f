"""A ledger in parts of some milliseconds, and how they are folded."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import asyncpg

from scoreboard.domain.ledger_parts import LedgerPart
from scoreboard.pg import ledger_parts
from scoreboard.pg.ledger_folds import LedgerFolds
from scoreboard.pg.migrations import migrate

ALL_DUE = -(10**15)  # ms of a retention by which every part is due


async def parted(url: str, bound: int, width: int) -> None:
    """Makes an empty database one with a ledger whose first part ends at ``bound``, and whose
    others, of which there is one, have ``width``; both Unix ms."""
    database = await asyncpg.connect(url)
    await migrate(database)
    with patch.object(ledger_parts, "first_bound", return_value=bound):
        await ledger_parts.partition(database, lambda _: None)
    await database.execute(
        "UPDATE ledger_part SET from_ms = to_ms - $1::bigint WHERE from_ms IS NULL", width
    )
    await open_next(database)
    await database.execute("UPDATE ledger_part SET from_ms = NULL WHERE to_ms = $1", bound)
    await database.close()


async def open_next(database: asyncpg.Connection) -> None:
    """Opens the next part. Those of one day would have one name, so it gets its own."""
    relation = await database.fetchval("SELECT open_ledger_part()")
    await database.execute(
        f"ALTER TABLE {relation} RENAME TO {relation}_{await _last(database)};"
        f"UPDATE ledger_part SET relation = relation || '_' || to_ms WHERE relation = '{relation}'"
    )


async def _last(database: asyncpg.Connection) -> int:
    """When the last part ends."""
    return int(await database.fetchval("SELECT max(to_ms) FROM ledger_part"))


async def open_until(database: asyncpg.Connection, ms: int) -> None:
    """Opens parts until one ends after this."""
    while await _last(database) <= ms:
        await open_next(database)


async def fold_before(folds: LedgerFolds, ms: int) -> None:
    """Folds all parts that end at this or before, one step after another."""
    while (part := await folds.due(ALL_DUE)) is not None and part.to_ms <= ms:
        await fold(folds, part)


async def fold(
    folds: LedgerFolds, part: LedgerPart, between: Callable[[str], None] = lambda _: None
) -> None:
    """The steps of one part; ``between`` is told of each that comes."""
    if not part.folding:
        between("begin")
        await folds.begin(part)
    between("sum up")
    while await folds.sum_up(part):
        between("sum up")
    between("end")
    while not await folds.end(part, 100):
        await folds.sum_up_changed(part)
    between("merge")
    while await folds.merge():
        between("merge")

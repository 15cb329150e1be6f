"""Keeps the ledger's parts of time: those that come are opened ahead, and those that are older than
the retention are folded, beside live traffic.

A part is folded in steps, each of which is one transaction of Postgres and may be the last for a
while:

1. It is begun: from now on nobody decides about its actions, and who changes in it is noted.
2. Each partition is drained under its lock, so that what was decided before is in the ledger.
3. Its users are summed up, some at a time, and again those who have changed; with an archive, the
   part is written to a file.
4. One short transaction drops it, and lets the sums count.
5. They are added to those of earlier parts, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from scoreboard.domain.ledger_parts import LedgerPart
from scoreboard.errors import ConfigurationError, Unavailable
from scoreboard.formats.ledger_archive import LedgerArchive
from scoreboard.workers.ledger_ports import LedgerFolds, LedgerParts
from scoreboard.workers.postgres_ports import PartitionLocks
from scoreboard.workers.rebuilder import Rebuilder

log = structlog.get_logger(__name__)

LOOK = 600.0  # seconds between two looks
PAUSE = 0.5  # seconds until the last step is tried again
TRIES = 600
LAST_USERS = 100  # users that are summed up again while everybody waits

# Told the part, what is done of it, and how many users or rows that was.
Told = Callable[[LedgerPart, str, int], None]


def unheard(_: LedgerPart, __: str, ___: int) -> None:
    """Tells nobody."""


class LedgerFolder:
    """``retention`` is for how many seconds actions are kept one by one; ``partitions`` how many
    partitions there are."""

    def __init__(
        self,
        folds: LedgerFolds,
        locks: PartitionLocks,
        rebuilder: Rebuilder,
        *,
        retention: float,
        partitions: int,
        archive: LedgerArchive | None = None,
    ) -> None:
        self._folds = folds
        self._locks = locks
        self._rebuilder = rebuilder
        self._retention_ms = round(retention * 1000)
        self._partitions = partitions
        self._archive = archive

    async def fold_all(self, tell: Told = unheard) -> int | None:
        """Folds all parts that are due, oldest first, and returns how many; None while another
        process does. Raises Unavailable, or ConfigurationError when the archive can't be written;
        the next call goes on."""
        folded = 0
        async with self._folds.turn() as mine:
            if not mine:
                return None
            while await self._folds.merge():
                pass
            while (part := await self._folds.due(self._retention_ms)) is not None:
                await self._fold(part, tell)
                folded += 1
        return folded

    async def _fold(self, part: LedgerPart, tell: Told) -> None:
        if not part.folding:
            await self._folds.begin(part)
        for partition in range(self._partitions):
            async with self._locks.locked(partition) as session:
                await self._rebuilder.drain(partition, session)
        while users := await self._folds.sum_up(part):
            tell(part, "users", users)
        await self._end(part, tell)
        log.info("ledger_folded", part=part.relation, until_ms=part.to_ms, actions=part.actions)
        while sums := await self._folds.merge():
            tell(part, "sums", sums)

    async def _end(self, part: LedgerPart, tell: Told) -> None:
        """Sums up those who changed, until few enough are left for the last step, which everybody
        waits for. With an archive none may have changed since the part was written to it."""
        last, archived = LAST_USERS, False
        for _ in range(TRIES):
            while await self._folds.sum_up_changed(part) > last:
                archived = False
            if self._archive is not None:
                if not archived or await self._folds.has_changed(part):
                    rows = await self._archive.write(part.relation, self._folds.rows(part))
                    tell(part, "rows", rows)
                last, archived = 0, True
            if await self._folds.end(part, last):
                return
            await asyncio.sleep(PAUSE)
        raise Unavailable(
            "The ledger is in use all the time.",
            words="Long statements keep it: look at pg_stat_activity.",
        )


class LedgerKeeper:
    """Several processes may have one. Without a ``folder`` all is kept."""

    def __init__(self, parts: LedgerParts, folder: LedgerFolder | None) -> None:
        self._parts = parts
        self._folder = folder

    async def run(self) -> None:
        """Until cancelled."""
        told = False
        while True:
            try:
                parted = await self._parts.keep_ahead()
                if self._folder is not None:
                    if not (parted or told):
                        told = True
                        log.warning("ledger_not_in_parts", remedy="scoreboard ledger partition")
                    await self._folder.fold_all()
            except Unavailable as error:  # of which the persister tells
                log.debug("ledger_keeper_waits", reason=error.detail)
            except ConfigurationError as error:
                log.error("ledger_not_archived", reason=str(error))
            await asyncio.sleep(LOOK)

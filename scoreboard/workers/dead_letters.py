"""Tries entries that could not be written again, after the cause was removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from scoreboard.domain.audit import Difference, Report
from scoreboard.domain.ledger import DeadLetter
from scoreboard.wire.events import PoisonEvent, decode_event
from scoreboard.workers.persister import LedgerWriter


class DeadLetters(Protocol):
    """Keeps the dead letters (pg/dead_letters.DeadLetters)."""

    async def drop(self, letter: DeadLetter) -> None: ...
    async def explain(self, letter: DeadLetter, error: str) -> None: ...


class Ledger(Protocol):
    """Hands out the partitions' locks (pg/ledger.Ledger)."""

    def locked(self, partition: int) -> AbstractAsyncContextManager[LedgerWriter]: ...


class Auditor(Protocol):
    """Compares users (workers/verifier.Verifier)."""

    async def confirm(
        self, board: str, users: Sequence[str], report: Report
    ) -> list[Difference]: ...


class Corrector(Protocol):
    """Rebuilds a board from the ledger (workers/rebuilder.Rebuilder)."""

    async def rebuild(
        self, board: str, progress: Callable[[int], None] | None = None, *, correct: bool = False
    ) -> None: ...


class Retrier:
    """Writes dead letters again. An event that is written so late may have been overtaken by a
    rebuild or by its own duplicate; in that case its board is rebuilt from the ledger."""

    def __init__(
        self, letters: DeadLetters, ledger: Ledger, auditor: Auditor, corrector: Corrector
    ) -> None:
        self._letters = letters
        self._ledger = ledger
        self._auditor = auditor
        self._corrector = corrector

    async def retry(self, letter: DeadLetter) -> str | None:
        """Returns None when the entry is now in the ledger and no longer a dead letter, else the
        error that keeps it out. Raises Unavailable."""
        try:
            event = decode_event(*letter.entry)
        except PoisonEvent as error:
            await self._letters.explain(letter, str(error))
            return str(error)
        async with self._ledger.locked(letter.partition) as session:
            written = await session.write([(event, letter.entry)], [])
        if written.dead:
            await self._letters.explain(letter, written.dead[0].error)
            return written.dead[0].error
        board = event.body.b
        report = Report(board, live=True)
        differs = await self._auditor.confirm(board, [event.body.u], report)
        if differs or written.late:
            await self._corrector.rebuild(board, correct=True)
        await self._letters.drop(letter)
        return None

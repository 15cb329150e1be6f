"""Tries entries that could not be written again, after the cause was removed."""

from __future__ import annotations

from scoreboard.domain.audit import Report
from scoreboard.domain.ledger import DeadLetter
from scoreboard.wire.events import PoisonEvent, decode_event
from scoreboard.workers.postgres_ports import DeadLetters, PartitionLocks
from scoreboard.workers.rebuilder import Rebuilder
from scoreboard.workers.verifier import Verifier


class Retrier:
    """Writes dead letters again. An event that is written so late may have been overtaken by a
    rebuild or by its own duplicate; in that case its board is rebuilt from the ledger."""

    def __init__(
        self, letters: DeadLetters, locks: PartitionLocks, verifier: Verifier, rebuilder: Rebuilder
    ) -> None:
        self._letters = letters
        self._locks = locks
        self._verifier = verifier
        self._rebuilder = rebuilder

    async def retry(self, letter: DeadLetter, *, by: str) -> str | None:
        """Returns None when the entry is now in the ledger and no longer a dead letter, else the
        error that keeps it out. Raises Unavailable."""
        try:
            event = decode_event(*letter.entry)
        except PoisonEvent as error:
            await self._letters.explain(letter, str(error))
            return str(error)
        async with self._locks.locked(letter.partition) as session:
            written = await session.write([(event, letter.entry)], [])
        if written.dead:
            await self._letters.explain(letter, written.dead[0].error)
            return written.dead[0].error
        board = event.body.b
        report = Report(board, live=True)
        differs = await self._verifier.confirm(board, [event.body.u], report)
        if differs or written.late:
            await self._rebuilder.rebuild(board, correct=True)
        await self._letters.drop(letter, by=by, written_to=board)
        return None

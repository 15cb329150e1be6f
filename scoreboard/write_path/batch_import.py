"""Imports standings that a caller sends some rows at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import InvalidOperation

import msgspec

from scoreboard.domain.imports import Plan, Refused, Score, Source, SourceRow
from scoreboard.errors import GateIsOn
from scoreboard.write_path.importer import BEFORE, NEW, Importer
from scoreboard.write_path.ports import ErasedReader, ImportRecord, SettingsReader, SubmitsScores


class BatchImport:
    """Imports into boards whose gates are off."""

    def __init__(
        self,
        settings: SettingsReader,
        submitter: SubmitsScores,
        record: ImportRecord,
        erased: ErasedReader,
    ) -> None:
        self._settings = settings
        self._submitter = submitter
        self._record = record
        self._erased = erased

    async def take(
        self, board: str, source: str, decimals: int, rows: Sequence[SourceRow], *, by: str
    ) -> tuple[int, int, list[Refused]]:
        """How many rows were imported, and were before, and those that are left out. Nothing waits
        for long: after Unavailable or OutcomeUnknown the same call goes on from where this one was.
        Raises UnknownBoard or GateIsOn as well."""
        settings = await self._settings.get(board)
        if settings.mode != "off":
            raise GateIsOn(
                "The board's gate would take imported totals for ways to play: set its mode to "
                "off for the import."
            )
        refused: list[Refused] = []
        importer = Importer(
            board,
            Plan(settings, source, decimals),
            self._submitter,
            self._record,
            on_refused=refused.append,
            on_rows=_not_told,
            attempts=1,
        )
        erased = await self._erased.erased_among([row.user_id for row in rows])
        scores: dict[str, Score] = {}
        left = []
        for row in rows:
            if row.user_id in erased:
                importer.leave_out(row, "the player was erased")
            elif _differ(scores.setdefault(row.user_id, row.score), row.score):
                # Submitted, it would be a conflict, which a person would have to see.
                importer.leave_out(row, "the user is in an earlier row with another score")
            else:
                left.append(row)
        try:
            await importer.run(Source(source, len(rows), _one(left)))
        finally:
            told = {
                "source": source,
                "decimals": decimals,
                "rows": len(rows),
                "counts": importer.counts,
            }
            await self._record.note(board, by=by, details=msgspec.json.encode(told).decode())
        return importer.counts[NEW], importer.counts[BEFORE], sorted(refused)


def _differ(one: Score, other: Score) -> bool:
    try:
        return bool(one != other)
    except InvalidOperation:  # a signalling NaN
        return True


def _not_told(_rows: int) -> None:
    pass


async def _one(chunk: Sequence[SourceRow]) -> AsyncIterator[Sequence[SourceRow]]:
    yield chunk

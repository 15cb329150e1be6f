"""Which occurrence of a period is current, and which others there are to read.

What a board knows of its periods is remembered for a moment, and no longer than until shortly
before an occurrence ends: around that moment only Redis can say which one is current. Its clock
counts, not that of this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from scoreboard.api.board_reader import BoardReader
from scoreboard.api.ports import KeptOccurrences, PeriodOpener, PeriodStates
from scoreboard.domain.boards import REMEMBERED, BoardSettings
from scoreboard.domain.kept_occurrences import KeptOccurrence
from scoreboard.domain.occurrences import Occurrence, containing_after, first, following
from scoreboard.domain.periods import Period
from scoreboard.domain.tables import occurrence_table
from scoreboard.errors import (
    BoardCold,
    OccurrenceGone,
    PeriodRequired,
    Unavailable,
    UnknownOccurrence,
    UnknownPeriod,
)
from scoreboard.wire.known_periods import KnownPeriod

FRESH = 2.0  # seconds for which periods are remembered
MARGIN = 1_000  # ms before its end in which an occurrence is looked for anew each time
MOST = 10_000  # boards of which something is remembered

State: TypeAlias = Literal["upcoming", "open", "closing", "final"]
Wanted: TypeAlias = int | Literal["previous"] | None  # a number; None: the current one


@dataclass(frozen=True, slots=True)
class Shown:
    """An occurrence to read. ``exists`` is False while nobody has opened it: then it is empty.
    ``next_starts_at`` is when the period's next one starts, seen from now; moments are Unix ms."""

    board: str
    period: str
    occurrence: Occurrence
    state: State
    next_starts_at: int
    exists: bool = True

    @property
    def table(self) -> str:
        """The name of its table."""
        return occurrence_table(self.board, self.period, self.occurrence.number)

    def of_shard(self, shard: str) -> str:
        """The name of a shard's part of the table."""
        return occurrence_table(shard, self.period, self.occurrence.number)


class _Current(NamedTuple):
    """The current occurrence of a period. One that is ``closing`` may be final already, and then
    its bounds may be missing."""

    occurrence: Occurrence
    state: State
    next_starts_at: int
    exists: bool = True


class _Known(NamedTuple):
    """What is known of a board's periods, and its time, at a moment of this process's clock."""

    read_at: float
    time: int
    periods: dict[str, KnownPeriod | None]

    def now(self) -> int:
        """The board's time now."""
        return self.time + int((time.monotonic() - self.read_at) * 1000)

    def current(self, board: str, settings: BoardSettings, name: str) -> Shown:
        """The current occurrence of one of the board's periods."""
        period = settings.period(name)
        assert period is not None
        return Shown(board, name, *_current(period, self.periods.get(name), self.now()))

    def good_for(self, period: str) -> bool:
        """Whether it still tells which occurrence of the period is current."""
        known, now = self.periods.get(period), self.now()
        return (
            known is not None
            and time.monotonic() < self.read_at + FRESH
            and known.latest.starts_at <= now < known.latest.ends_at - MARGIN
        )


_NOT_READ: tuple[float, None] = (-math.inf, None)


class BoardPeriods:
    """The periods of boards. Every method raises UnknownBoard, or Unavailable when neither Redis
    nor Postgres can say."""

    def __init__(
        self,
        reader: BoardReader,
        states: PeriodStates,
        opener: PeriodOpener,
        kept: KeptOccurrences,
    ) -> None:
        self._reader = reader
        self._states = states
        self._opener = opener
        self._kept = kept
        self._settings: dict[str, tuple[float, BoardSettings]] = {}
        self._known: dict[str, _Known] = {}
        self._ahead = 0  # ms by which Redis's clock is ahead of this machine's

    def surely_all_time(self, board: str) -> bool:
        """True when it is known without waiting that the board shows a table of all time."""
        settings = self._remembered(board)
        return settings is not None and settings.all_time

    async def check_all_time(self, board: str) -> None:
        """Raises PeriodRequired when the board shows no table of all time."""
        settings = await self._settings_of(board, lambda settings: settings.all_time)
        if not settings.all_time:
            names = [period.name for period in settings.periods]
            raise PeriodRequired(
                f"The board has no table of all time; name a period: {', '.join(names)}.",
                periods=names,
            )

    async def settings(self, board: str) -> BoardSettings:
        """The board's settings, as they were a moment ago at the earliest."""
        return await self._settings_of(board, lambda settings: True)

    async def find(self, board: str, period: str, wanted: Wanted) -> Shown:
        """The occurrence that is wanted. Raises UnknownPeriod, UnknownOccurrence or
        OccurrenceGone."""
        settings = await self._settings_having(board, period)
        known = self._known.get(board)
        if known is None or not known.good_for(period):
            known = await self._read(board, settings)
        current = known.current(board, settings, period)
        number = current.occurrence.number
        if wanted is not None:
            number = number - 1 if wanted == "previous" else wanted
        if not 1 <= number <= current.occurrence.number:
            raise _unknown(period)
        if number == current.occurrence.number and current.state != "closing":
            return current
        return await self._ended(current, known, number)

    async def current(self, board: str, settings: BoardSettings) -> list[Shown]:
        """The current occurrence of each of the board's periods, in the order of its settings."""
        if not settings.periods:
            return []
        known = await self._read(board, settings)
        found = []
        for period in settings.periods:
            shown = known.current(board, settings, period.name)
            if shown.state == "closing":
                shown = await self._ended(shown, known, shown.occurrence.number)
            found.append(shown)
        return found

    async def history(
        self, board: str, period: str, *, before: int | None, limit: int
    ) -> list[tuple[KeptOccurrence, State]]:
        """Up to ``limit`` occurrences that have started, newest first, with numbers below
        ``before`` unless that is None. Raises UnknownPeriod."""
        settings = await self._settings_having(board, period)
        known = await self._read(board, settings)
        behind = known.current(board, settings, period).occurrence.number + 1
        found = await self._kept.occurrences(
            board, period, before=min(before or behind, behind), limit=limit
        )
        return [(one, _state(one, known.now())) for one in found]

    async def latest(self, board: str, period: str) -> KnownPeriod:
        """What Redis knows of the period, of which an occurrence is open, or to come, from then on:
        whoever watches it is told of its end. Raises UnknownPeriod, and BoardCold."""
        await self._settings_having(board, period)
        time, known = await self._states.read(board, [period])
        if (told := known[period]) is None or told.latest.ends_at <= time:
            settings = (await self._reader.description(board)).settings
            rule = settings.period(period)
            if rule is not None:  # as it is now
                await self._opener.open_due(board, settings, rule)
            _, known = await self._states.read(board, [period])
        if (told := known[period]) is None:
            raise UnknownPeriod("The board has no such period.")
        return told

    async def bounds(self, board: str, period: str, number: int) -> Occurrence | None:
        """An occurrence that was opened, as Postgres has it."""
        kept = await self._kept.occurrence(board, period, number)
        return None if kept is None else _occurrence(kept)

    async def _ended(self, current: Shown, known: _Known, number: int) -> Shown:
        """An occurrence of the same period that has ended. Until it may be final, Redis's word is
        enough, and afterwards while Postgres has none."""
        told = known.periods.get(current.period)
        closing = None
        if told is not None and (found := told.closing(number)) is not None:
            occurrence, until = found
            closing = replace(current, occurrence=occurrence, state="closing", exists=True)
            if known.now() < until:
                return closing
        try:
            kept = await self._kept.occurrence(current.board, current.period, number)
        except Unavailable:
            if closing is None:
                raise
            kept = None
        if kept is None:
            if closing is None:  # it was opened, since numbers have no holes, and is on its way
                raise Unavailable("Postgres does not have this occurrence yet.")
            return closing
        if kept.pruned:
            raise OccurrenceGone("The users of this occurrence are no longer kept.")
        return replace(
            current,
            occurrence=_occurrence(kept),
            state="final" if kept.state == "final" else "closing",
            exists=True,
        )

    async def _settings_having(self, board: str, period: str) -> BoardSettings:
        def has_it(settings: BoardSettings) -> bool:
            return settings.period(period) is not None

        settings = await self._settings_of(board, has_it)
        if not has_it(settings):
            raise UnknownPeriod("The board has no such period.")
        return settings

    async def _settings_of(
        self, board: str, will_do: Callable[[BoardSettings], bool]
    ) -> BoardSettings:
        """The board's settings; those that are remembered only when they will do."""
        remembered = self._remembered(board)
        if remembered is not None and will_do(remembered):
            return remembered
        read_at = time.monotonic()
        settings = (await self._reader.description(board)).settings
        if len(self._settings) >= MOST:
            self._settings.clear()
        self._settings[board] = read_at, settings
        return settings

    def _remembered(self, board: str) -> BoardSettings | None:
        """The board's settings as they were a moment ago; None when they have to be read."""
        read_at, settings = self._settings.get(board, _NOT_READ)
        return settings if time.monotonic() < read_at + REMEMBERED else None

    async def _read(self, board: str, settings: BoardSettings) -> _Known:
        names = [period.name for period in settings.periods]
        read_at = time.monotonic()
        try:
            now, periods = await self._states.read(board, names)
        except (BoardCold, Unavailable):
            kept = await self._kept.latest_occurrences(board)
            now, periods = _own_clock() + self._ahead, _known_by(kept)
        else:
            self._ahead = now - _own_clock()
        if len(self._known) >= MOST:
            self._known.clear()
        known = self._known[board] = _Known(read_at, now, periods)
        return known


def _current(period: Period, known: KnownPeriod | None, now: int) -> _Current:
    if known is None:
        occurrence = first(period, now)
        if occurrence.starts_at > now:
            return _Current(occurrence, "upcoming", occurrence.starts_at, exists=False)
        return _Current(occurrence, "open", following(period, occurrence).starts_at, exists=False)
    latest = known.latest
    if latest.starts_at <= now < latest.ends_at:
        return _Current(latest, "open", following(period, latest).starts_at)
    if now < latest.starts_at:
        if latest.number == 1:
            return _Current(latest, "upcoming", latest.starts_at)
        before = known.before or Occurrence(latest.number - 1, 0, 0)
        return _Current(before, "closing", latest.starts_at)
    due = containing_after(period, latest, now)
    if due.starts_at <= now:
        return _Current(due, "open", following(period, due).starts_at, exists=False)
    return _Current(latest, "closing", due.starts_at)


def _known_by(kept: Iterable[KeptOccurrence]) -> dict[str, KnownPeriod | None]:
    """What Redis would know of periods by their latest occurrences, the older one first."""
    found: dict[str, KnownPeriod | None] = {}
    for one in kept:
        final_at = 0 if one.state == "final" else one.final_at
        earlier = found.get(one.period)
        if earlier is None or not earlier.final_at:
            found[one.period] = KnownPeriod(_occurrence(one), final_at)
        else:
            found[one.period] = KnownPeriod(
                _occurrence(one), final_at, earlier.latest, earlier.final_at
            )
    return found


def _occurrence(kept: KeptOccurrence) -> Occurrence:
    return Occurrence(kept.number, kept.starts_at, kept.ends_at)


def _state(kept: KeptOccurrence, now: int) -> State:
    if kept.state == "final":
        return "final"
    if now < kept.starts_at:
        return "upcoming"
    return "open" if now < kept.ends_at else "closing"


def _unknown(period: str) -> UnknownOccurrence:
    return UnknownOccurrence(f"The period {period} has had no such occurrence.")


def _own_clock() -> int:
    return time.time_ns() // 1_000_000

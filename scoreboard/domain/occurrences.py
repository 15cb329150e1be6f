"""The occurrences of a period: which one a moment falls into, and what its number is.

An occurrence is half-open: a moment m is in it when starts_at <= m < ends_at. All are Unix
milliseconds.

**Bounds** follow from the rule. They are those of the calendar whatever happened before, with one
exception: an occurrence that was opened keeps its bounds, and the next one starts at its end at the
earliest. So a rule that is changed, or newer data of a time zone, can neither reopen what is over
nor open a moment twice. Without a duration occurrences tile time.

**Numbers** count the occurrences that were opened: the first is 1, and after n comes n + 1, however
many have passed meanwhile that nobody opened. This holds for ``every`` as for ``cron``.

- A number is then never taken back. One that counted from the rule would change with it, and could
  name a table that is there already.
- It is known at once after years of silence, and can be checked without a calendar: n + 1, from
  the end of n on.
- Lists show 1, 2, 3 and no holes, not 900,000 as the first of a period of 30 s that is counted
  from last New Year.

What it costs: the number of an occurrence that nobody opened yet is only what it would get now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from scoreboard.domain.cron import CronStarts
from scoreboard.domain.moments import milliseconds_of_moment
from scoreboard.domain.periods import LATEST_START, Period


class Occurrence(msgspec.Struct, frozen=True):
    """The occurrence ``number`` of a period: open from ``starts_at`` until before ``ends_at``."""

    number: int
    starts_at: int
    ends_at: int


def first(period: Period, moment_ms: int) -> Occurrence:
    """Occurrence 1: the one that contains the moment, or when none does, the next one."""
    return _found(period, moment_ms, number=1)


def containing_after(period: Period, known: Occurrence, moment_ms: int) -> Occurrence:
    """The known occurrence until it ends; then the one that contains the moment, or when none
    does, the next one. It takes one step of the calendar, whatever lies between."""
    if moment_ms < known.ends_at:
        return known
    found = _found(period, moment_ms, number=known.number + 1)
    return msgspec.structs.replace(found, starts_at=max(found.starts_at, known.ends_at))


def following(period: Period, known: Occurrence) -> Occurrence:
    """The one after the known occurrence, if it is opened in its time."""
    return containing_after(period, known, known.ends_at)


def coming(period: Period, moment_ms: int) -> Iterator[Occurrence]:
    """The occurrence that contains the moment, or when none does, the next one; then those that
    follow. No board's clock goes beyond the last."""
    occurrence = first(period, moment_ms)
    end = milliseconds_of_moment(LATEST_START)
    while occurrence.starts_at < end:
        yield occurrence
        occurrence = following(period, occurrence)


def final_at(period: Period, known: Occurrence) -> int:
    """From when on latecomers no longer count in the occurrence: when its grace is over, or when
    the following one ends, whichever is first. So never more than one waits for latecomers, even
    when a clock that is put forward makes the following one shorter than the grace."""
    if not period.grace:
        return known.ends_at
    return min(known.ends_at + period.grace * 1000, following(period, known).ends_at)


class _Starts(Protocol):
    def at_or_before(self, moment_ms: int) -> int | None: ...
    def after(self, moment_ms: int) -> int: ...


class _EvenStarts:
    """Starts at a fixed distance, the first of which has none before it."""

    def __init__(self, start_ms: int, every_ms: int) -> None:
        self._start = start_ms
        self._every = every_ms

    def at_or_before(self, moment_ms: int) -> int | None:
        """The last start that is not after the moment, if there is one."""
        if moment_ms < self._start:
            return None
        return moment_ms - (moment_ms - self._start) % self._every

    def after(self, moment_ms: int) -> int:
        """The first start after the moment."""
        before = self.at_or_before(moment_ms)
        return self._start if before is None else before + self._every


def _found(period: Period, moment_ms: int, *, number: int) -> Occurrence:
    starts = _starts(period)
    start = starts.at_or_before(moment_ms)
    if start is not None and moment_ms < (end := _end(period, starts, start)):
        return Occurrence(number, start, end)
    start = starts.after(moment_ms)
    return Occurrence(number, start, _end(period, starts, start))


def _end(period: Period, starts: _Starts, start: int) -> int:
    end = starts.after(start)
    return end if period.duration_ms is None else min(end, start + period.duration_ms)


def _starts(period: Period) -> _Starts:
    if period.cron is not None:
        return CronStarts(period.cron, period.zone)
    assert period.every_ms is not None
    return _EvenStarts(period.start_ms, period.every_ms)

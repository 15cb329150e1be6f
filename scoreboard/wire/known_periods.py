"""What Redis knows of a board's period: the text of a field of the board's meta hash, which
lua/lib_periods.lua reads and writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from scoreboard.domain.kept_occurrences import KeptOccurrence
from scoreboard.domain.occurrences import Occurrence, containing_after, final_at, first
from scoreboard.domain.periods import Period
from scoreboard.errors import Unavailable

# Exactly the texts that lua/lib_periods.lua can read.
_TEXT = re.compile(r"(?:[0-9]{1,18}(?: [0-9]{1,18}){3}(?:(?: [0-9]{1,18}){3})?)?")


class KnownPeriod(msgspec.Struct, frozen=True):
    """The latest occurrence of a period, which may still be to come, and until when latecomers
    count in it; the same of the one before, until that is sealed. Unix milliseconds."""

    latest: Occurrence
    final_at: int
    before: Occurrence | None = None
    before_final_at: int = 0

    def to_text(self) -> str:
        """The text in Redis."""
        one, other = self.latest, self.before
        text = f"{one.number} {one.starts_at} {one.ends_at} {self.final_at}"
        if other is None:
            return text
        return f"{text} {other.starts_at} {other.ends_at} {self.before_final_at}"

    @property
    def sealed(self) -> bool:
        """True when nothing can be counted in the latest any more, because the board no longer has
        the period."""
        return self.final_at == 0

    def settled(self, now: int) -> KnownPeriod:
        """The same with every occurrence sealed that is final by ``now``, whether or not Redis has
        been told so yet."""
        known = self
        if known.before_final_at <= now:
            known = msgspec.structs.replace(known, before=None, before_final_at=0)
        if known.final_at <= now:
            one = known.latest
            one = Occurrence(one.number, one.ends_at, one.ends_at)
            known = msgspec.structs.replace(known, latest=one, final_at=0)
        return known

    def closing(self, number: int) -> tuple[Occurrence, int] | None:
        """The occurrence with this number and until when latecomers count in it; None when that is
        not known, or over for good."""
        for one, until in ((self.latest, self.final_at), (self.before, self.before_final_at)):
            if one is not None and one.number == number and until:
                return one, until
        return None

    @classmethod
    def from_text(cls, text: str | bytes) -> KnownPeriod | None:
        """What a text says; None for the empty one, without an occurrence. Raises Unavailable for
        a text of any other form, which somebody has written by hand."""
        told = text if isinstance(text, str) else text.decode(errors="replace")
        if not _TEXT.fullmatch(told):
            raise Unavailable("What Redis knows of a period of the board can't be read.")
        if not told:
            return None
        number, starts_at, ends_at, final_at, *former = map(int, told.split(" "))
        known = cls(Occurrence(number, starts_at, ends_at), final_at)
        if not former:
            return known
        before = Occurrence(number - 1, *former[:2])
        return msgspec.structs.replace(known, before=before, before_final_at=former[2])


def known_periods(latest: Sequence[KeptOccurrence]) -> dict[str, KnownPeriod]:
    """What Redis has to know of a board's periods, by their names, which have these latest
    occurrences: one or two of each, period by period, the older one first."""
    return {
        period: known_period(list(of_period))
        for period, of_period in groupby(latest, key=attrgetter("period"))
    }


def known_period(latest: Sequence[KeptOccurrence]) -> KnownPeriod:
    """What Redis has to know of a period with these latest occurrences, one or two, the older one
    first. A final one is sealed."""
    *earlier, last = latest
    if last.state == "final":
        return KnownPeriod(Occurrence(last.number, last.ends_at, last.ends_at), 0)
    known = KnownPeriod(Occurrence(last.number, last.starts_at, last.ends_at), last.final_at)
    for before in earlier:
        if before.state == "open" and before.number == last.number - 1:
            occurrence = Occurrence(before.number, before.starts_at, before.ends_at)
            return msgspec.structs.replace(
                known, before=occurrence, before_final_at=before.final_at
            )
    return known


def latest(period: Period, known: KnownPeriod | None, now: int) -> KnownPeriod:
    """The latest occurrence of the period: the known one until it ends, then the next. ``now`` is
    Redis's Unix milliseconds."""
    if known is None:
        occurrence = first(period, now)
    elif now < known.latest.ends_at:
        return known
    else:
        occurrence = containing_after(period, known.latest, now)
    return KnownPeriod(occurrence, final_at(period, occurrence))

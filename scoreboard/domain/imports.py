"""Standings that come from elsewhere: what is read of a source, and the actions that make the same
totals here."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Annotated, NamedTuple

from msgspec import Meta

from scoreboard.domain.actions import MAX_ID, MAX_POINTS, NO_CONTROL_CHARACTERS
from scoreboard.domain.boards import MAX_TOTAL, TOTAL_BITS, BoardSettings, Order
from scoreboard.domain.identifiers import id_flaw
from scoreboard.domain.profiles import Profile

PREFIX = "import:"  # of the ids of actions
MAX_SOURCE = 100  # characters of a source's name
MAX_PARTS = 1_000  # actions that the total of one user may take

_id = re.compile(NO_CONTROL_CHARACTERS)

SourceName = Annotated[
    str, Meta(min_length=1, max_length=MAX_SOURCE, pattern=NO_CONTROL_CHARACTERS)
]


Score = int | float | Decimal


class SourceRow(NamedTuple):
    """A user's total in the source. ``place`` is the row's number there, from 1 on. A score that is
    a float counts as the shortest decimal number that reads as it. ``profile`` is what the source
    says of the user."""

    place: int
    user_id: str
    score: Score
    profile: Profile | None = None


class Refused(NamedTuple):
    """A row that is not imported, and why."""

    row: SourceRow
    reason: str


@dataclass(slots=True)
class Source:
    """Standings elsewhere. ``rows`` is how many there are, ``chunks`` gives them in their order,
    best first where the source has an order. ``order`` is which total stands higher there, None
    when that is not known. ``warnings`` say what of it can't be taken over; some come only when all
    rows are read."""

    name: str
    rows: int
    chunks: AsyncIterator[Sequence[SourceRow]]
    order: Order | None = None
    warnings: list[str] = field(default_factory=list)


class Plan:
    """Makes actions of rows, by the rules of the board that takes them. ``decimals`` is how many
    of a source's decimals belong to a total here, which is a whole number."""

    def __init__(self, settings: BoardSettings, source: str, decimals: int) -> None:
        self._least, self._most = settings.min_points, settings.max_points
        self._rule = settings.id_rule
        # Whether all rows go one behind the other: the first ones get the room that there is.
        self.in_order = settings.capacity is not None
        self._decimals = decimals
        self._factor: int = 10**decimals
        self._sums = settings.operator == "sum"
        self._action = f"{PREFIX}{source}"

    def actions(self, row: SourceRow) -> list[tuple[str, int]]:
        """The (action id, points) that make the total: one, or several where the operator is
        ``sum`` and one is not enough. Raises ValueError, which says why there are none."""
        user = row.user_id
        if not _is_identifier(user):
            raise ValueError("no user id: 1 to 128 characters of UTF-8 without controls")
        if self._rule != "any" and (flaw := id_flaw(user, self._rule)):
            raise ValueError(f"the board does not take this user id: it {flaw}")
        total = self._total(row.score)
        least, most = self._least, self._most
        if least <= total <= most:
            return [(self._action, total)]
        points = [total] if -MAX_POINTS <= total <= MAX_POINTS else self._parts(total)
        if not all(least <= one <= most for one in points):
            raise ValueError(f"the board takes {least:,} to {most:,} points at once")
        return [
            (self._action if part == 1 else f"{self._action}#{part}", one)
            for part, one in enumerate(points, 1)
        ]

    def _total(self, score: Score) -> int:
        if isinstance(score, float) and abs(score) <= MAX_POINTS and score.is_integer():
            return int(score) * self._factor  # most are such
        if not (score.is_finite() if isinstance(score, Decimal) else isfinite(score)):
            raise ValueError("the score is no number")
        # At first without the factor: a Decimal may be too large to be multiplied.
        # Nor may abs() look at it, which fails beyond the exponents of Python's context.
        if not -MAX_TOTAL <= score <= MAX_TOTAL or abs(int(score)) * self._factor > MAX_TOTAL:
            raise ValueError(f"a total is within -2^{TOTAL_BITS} to 2^{TOTAL_BITS}")
        if isinstance(score, int):
            return score * self._factor
        if isinstance(score, float):
            if score.is_integer():
                return int(score) * self._factor
            score = Decimal(repr(score))
        decimals = _decimals_of(score)
        if decimals > self._decimals:
            has = f"{decimals} decimal{'s' * (decimals > 1)}"
            taken = f"at most {self._decimals} are taken"
            raise ValueError(f"the score has {has}; {taken} (--decimals)")
        return int(score * self._factor)

    def _parts(self, total: int) -> list[int]:
        if not self._sums:
            raise ValueError(f"an action has at most {MAX_POINTS:,} points")
        if abs(total) > MAX_PARTS * MAX_POINTS:
            raise ValueError(f"the total would take more than {MAX_PARTS:,} actions")
        sign = 1 if total > 0 else -1
        whole, rest = divmod(abs(total), MAX_POINTS)
        return [sign * MAX_POINTS] * whole + [sign * rest] * (rest > 0)


def _is_identifier(text: str) -> bool:
    """Whether the text is an Identifier, and UTF-8."""
    if not (len(text) <= MAX_ID and _id.match(text)):
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _decimals_of(score: Decimal) -> int:
    """How many decimals a finite number has, zeros at the end left out."""
    _, digits, exponent = score.as_tuple()
    shown = "".join(map(str, digits)).rstrip("0")
    if not shown or not isinstance(exponent, int):
        return 0
    return max(0, -exponent - (len(digits) - len(shown)))

"""The parts of a board that readers see."""

from __future__ import annotations

import msgspec


class TopEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One row of the top 10."""

    user_id: str
    score: int


class Standing(msgspec.Struct, frozen=True, rename="camel"):
    """A user's place: ``rank`` from 1; ``percentile`` is the share (0 to 100) of the board's users
    who are at or below this rank."""

    user_id: str
    score: int
    rank: int
    percentile: float


def percentile(rank: int, players: int) -> float:
    """Returns 100 for the first of any number of players and 100/players for the last, rounded to
    two decimals."""
    return round(100.0 * (players - rank + 1) / players, 2)

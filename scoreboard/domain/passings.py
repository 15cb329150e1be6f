"""Who passed whom, told from the moves of a while."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from scoreboard.domain.stamps import total_of

_BLOCK = 32  # movers that are passed over at once


class Passing(NamedTuple):
    """Who passed a player and stands nearest above, with that one's zset score, and how many others
    passed as well."""

    by: str
    zset_score: float
    others: int

    def gap(self, zset_score: float) -> int:
        """By how much that one's total is ahead of that of the player who was passed."""
        return total_of(self.zset_score) - total_of(zset_score)


class Passings:
    """The moves of a table, in order, as user, zset score before (-inf for a newcomer) and after,
    flat. A move is what a counted action did; what moderators do is none."""

    def __init__(self, moves: Sequence[bytes]) -> None:
        self._moves = moves
        spans: dict[bytes, tuple[float, float, float, float]] = {}
        for user, before, after in zip(moves[::3], moves[1::3], moves[2::3], strict=True):
            was, now = float(before), float(after)
            span = spans.get(user)
            if span is None:
                spans[user] = was, now, min(was, now), max(was, now)
            else:
                spans[user] = span[0], now, min(span[2], now), max(span[3], now)
        self._spans = spans
        risen = sorted(
            (span[1], span[0], user) for user, span in spans.items() if span[1] > span[0]
        )
        self._afters = [one[0] for one in risen]
        self._befores = [one[1] for one in risen]
        self._users = [one[2] for one in risen]
        self._sorted_befores = sorted(self._befores)
        self._lowest = [
            min(self._befores[start : start + _BLOCK]) for start in range(0, len(risen), _BLOCK)
        ]

    def of(self, user: bytes, before: float, now: float, *, shared: bool = False) -> Passing | None:
        """Who passed the user, who had the zset score ``before`` and has another ``now``: who was
        below all that the user had meanwhile, and by counted actions came above all of it. So
        nobody passes by the user's own fall alone. Where equal totals share a rank (``shared``),
        nobody passes by an equal one."""
        if not self._users:
            return None
        low, high = (before, now) if before < now else (now, before)
        own = self._spans.get(user)
        if own is not None and own[0] != before:
            unseen = self._behind(user, before)
            if unseen is not None:
                return Passings(unseen).of(user, before, now, shared=shared)
        if own is not None:
            if own[2] != -inf:  # a newcomer was passed by nobody before
                low = min(low, own[2])
            high = max(high, own[3])
        above = bisect_right(self._afters, high)
        first = bisect_left(self._afters, total_of(high) + 1) if shared else above
        unmoved = low == high
        # All movers rose, so of those who were below such a user, who is not above now was as well.
        number = bisect_left(self._sorted_befores, low) - above if unmoved else 1
        if not number:
            return None
        nearest = self._first_from_below(first, low)
        if nearest is None:
            return None
        if not unmoved or first != above:
            number = sum(before < low for before in self._befores[nearest:])
        return Passing(self._users[nearest].decode(), self._afters[nearest], number - 1)

    def _behind(self, user: bytes, zset_score: float) -> Sequence[bytes] | None:
        """The moves behind the one that led the user there; None if none did. Players can be read a
        little later than the moves of before; what led to what was seen is past."""
        moves = self._moves
        for place in reversed(range(0, len(moves), 3)):
            if moves[place] == user and float(moves[place + 2]) == zset_score:
                return moves[place + 3 :]
        return None

    def _first_from_below(self, first: int, low: float) -> int | None:
        befores, place = self._befores, first
        while place < len(befores):
            if place % _BLOCK == 0 and self._lowest[place // _BLOCK] >= low:
                place += _BLOCK
            elif befores[place] < low:
                return place
            else:
                place += 1
        return None

"""Ties: the earlier total wins. A member's zset score is ``total + f``, where f is in [0, 1/2] and
shrinks as time passes, so that of two equal totals the one reached earlier is the larger double.

f = (2**41 - (ms - EPOCH_MS)) / 2**42, with ms the Unix time in milliseconds. ``floor`` of the zset
score is exactly the total for |total| <= 2**50; the resolution of the tie-break is what the double
has left. The same arithmetic is in lua/lib_stamps.lua.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import floor

from scoreboard.domain.boards import MAX_TOTAL
from scoreboard.domain.moments import EARLIEST_MS, LATEST_MS

EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
LAST_MS = EPOCH_MS + 2**41  # in 2094; a later f would be negative, and the total read as one less


def stamp(total: int, reached_ms: int) -> float:
    """The zset score of ``total`` reached at ``reached_ms`` (Unix milliseconds); a time that no f
    can tell counts as the nearest that one can."""
    reached_ms = min(max(reached_ms, EPOCH_MS), LAST_MS)
    return total + (2**41 - (reached_ms - EPOCH_MS)) / 2**42


def total_of(zset_score: float) -> int:
    """The total that a zset score stands for."""
    return floor(zset_score)


def reached_between(zset_score: float) -> tuple[int, int]:
    """The first and the last millisecond at which its total may have been reached: several give
    the same zset score where the double has no bits left to tell them apart."""
    total = total_of(zset_score)
    told = range(EPOCH_MS, LAST_MS + 1)

    def minus_stamp(reached_ms: int) -> float:
        return -stamp(total, reached_ms)

    first = bisect_left(told, -zset_score, key=minus_stamp)
    last = bisect_right(told, -zset_score, key=minus_stamp) - 1
    return (
        told[first] if first > 0 else EARLIEST_MS,
        told[last] if last < len(told) - 1 else LATEST_MS,
    )


def is_stamp(zset_score: float) -> bool:
    """Whether some total, within the bounds of totals, and some time give this zset score."""
    if not abs(zset_score) <= MAX_TOTAL + 1:  # nor for what is no number
        return False
    units = (zset_score - floor(zset_score)) * 2**42
    return abs(floor(zset_score)) <= MAX_TOTAL and units <= 2**41 and units.is_integer()

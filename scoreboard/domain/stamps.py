"""Ties: the earlier total wins. A member's zset score is ``total + f``, where f is in (0, 1/2] and
shrinks as time passes, so that of two equal totals the one reached earlier is the larger double.

f = (2**41 - (ms - EPOCH_MS)) / 2**42, with ms the Unix time in milliseconds. ``floor`` of the zset
score is exactly the total for |total| <= 2**50; the resolution of the tie-break is what the double
has left. The same arithmetic is in lua/lib_stamps.lua.
"""

from __future__ import annotations

from math import floor

EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z


def stamp(total: int, reached_ms: int) -> float:
    """The zset score of ``total`` reached at ``reached_ms`` (Unix milliseconds)."""
    return total + (2**41 - (reached_ms - EPOCH_MS)) / 2**42


def total_of(zset_score: float) -> int:
    """The total that a zset score stands for."""
    return floor(zset_score)

"""How many points a user's actions make: a histogram, and what lately came together."""

from __future__ import annotations

import math
from typing import Final

from scoreboard.anomaly.memory.records import KNOWN_ACTIONS, Profile

POINTS_MEMORY: Final = 400
"""The histogram of points is halved after this many actions, so that it follows changing habits."""
DRIFT_BITS: Final = 2.0
"""The average surprise per action, in bits, above which a run of high points builds up. A user's
own points average at most 1.44 bits."""
MAX_BUCKETS: Final = 24


def points_bucket(points: int) -> int:
    """Returns the bucket of a number of points: one per number up to 16, then four per octave."""
    if -16 <= points <= 16:
        return points
    bucket = 16 + int(4 * math.log2(abs(points) / 16))
    return bucket if points >= 0 else -bucket


def decayed_points(profile: Profile, at_ms: int) -> float:
    """Returns the points of the last five minutes, where older ones count less."""
    return profile.points_300 * math.exp(-abs(at_ms - profile.seen_ms) / 300_000)


def at_least(profile: Profile, bucket: int) -> tuple[int, int]:
    """Returns how many of the user's remembered actions made that many points or more, and the
    number of all remembered actions."""
    reached = of = 0
    for made, n in profile.points.items():
        of += n
        if made >= bucket:
            reached += n
    return reached, of


def high_run(profile: Profile, reached: int, of: int) -> float:
    """Returns the session's cumulative surprise at high points (a one-sided CUSUM, in bits),
    including those of an action for which ``at_least`` gave ``reached`` and ``of``; 0 while the
    user's usual points are not known."""
    if of < KNOWN_ACTIONS:
        return 0.0
    run = profile.high_run - math.log2((reached + 1) / (of + 2)) - DRIFT_BITS
    return run if run > 0.0 else 0.0


def learn_points(profile: Profile, bucket: int) -> None:
    """Updates the histogram with the bucket of an accepted action that ``profile.actions`` already
    counts."""
    counts = profile.points
    counts[bucket] = counts.get(bucket, 0) + 1
    if profile.actions % POINTS_MEMORY == 0:
        counts = {bucket: n // 2 for bucket, n in counts.items() if n > 1}
    if len(counts) > MAX_BUCKETS:
        rarest = min(counts, key=counts.__getitem__)
        counts = {bucket: n for bucket, n in counts.items() if bucket != rarest}
    profile.points = counts

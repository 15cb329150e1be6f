"""A user's points of a week against the user's own habits: evidence that grows too slowly for any
one action to be refused for it."""

from __future__ import annotations

import math
from typing import Final

from scoreboard.anomaly.memory.points import points_bucket
from scoreboard.anomaly.memory.records import KNOWN_ACTIONS, Profile
from scoreboard.anomaly.memory.sessions import starts_session

WEEK_MS: Final = 7 * 86_400_000
MONDAY_MS: Final = 3 * 86_400_000
"""1970 began on a Thursday."""
KNOWN_SESSIONS: Final = 5
"""A user's usual sessions count as unknown until there are this many."""
MOST_BITS: Final = 10.0
"""One action is no evidence of a week, however high its points are."""


def week_of(at_ms: int) -> int:
    """Returns the number of a week, which begins on a Monday at 00:00 UTC."""
    return (at_ms + MONDAY_MS) // WEEK_MS


def is_another_week(profile: Profile, at_ms: int) -> bool:
    """Returns whether an action is the user's first of a week; the first of all is not."""
    return profile.seen_ms > 0 and week_of(profile.seen_ms) < week_of(at_ms)


def ended_week(profile: Profile, at_ms: int) -> float | None:
    """Returns the evidence of the week in which the user last played, when the action at ``at_ms``
    is the first of another one; None in between, and while the habits are not known.

    In standard deviations: how high the points of the week's actions were, and what its sessions
    made, both against the user's own.
    """
    if not is_another_week(profile, at_ms) or not profile.week_spread:
        return None
    high = profile.week_bits / math.sqrt(profile.week_spread)
    totals, sessions = profile.week_totals, profile.week_sessions
    if starts_session(profile, at_ms) and profile.sessions >= KNOWN_SESSIONS:
        totals, sessions = totals + _session_deviation(profile), sessions + 1
    if not sessions:
        return high
    return (high + totals / math.sqrt(sessions)) / math.sqrt(2)


def forget_week(profile: Profile) -> None:
    """Begins another week."""
    profile.week_bits = profile.week_spread = profile.week_totals = 0.0
    profile.week_sessions = 0


def note_points_of_week(profile: Profile, points: int) -> None:
    """Adds an accepted action that the histogram of points does not have yet."""
    counts = profile.points
    of = sum(counts.values())
    if of < 2 * KNOWN_ACTIONS:
        return
    own, reached, mean, square, bits = points_bucket(points), 0, 0.0, 0.0, None
    for bucket in sorted(counts, reverse=True):
        if bits is None and bucket < own:
            bits = -math.log2((reached + 1) / (of + 2))
        reached += counts[bucket]
        of_bucket = -math.log2((reached + 1) / (of + 2))
        mean += counts[bucket] * of_bucket
        square += counts[bucket] * of_bucket * of_bucket
        if bucket == own:
            bits = of_bucket
    mean /= of
    surprise = min(MOST_BITS, 0.0 if bits is None else bits)
    profile.week_bits += surprise - mean
    profile.week_spread += max(0.05, square / of - mean * mean)


def note_session_of_week(profile: Profile) -> None:
    """Adds the session that ends, before it is part of the usual ones."""
    if profile.sessions >= KNOWN_SESSIONS:
        profile.week_totals += _session_deviation(profile)
        profile.week_sessions += 1


def _session_deviation(profile: Profile) -> float:
    total = math.sqrt(max(0, profile.session_points))
    return (total - profile.session_mean) / math.sqrt(profile.session_variance + 0.25)

"""A user's points of a week, and of each session in it, against the user's own habits: evidence
that grows too slowly for any one action to be refused for it."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from scoreboard.anomaly.memory.records import KNOWN_ACTIONS, Profile
from scoreboard.anomaly.memory.sessions import starts_session
from scoreboard.domain.weeks import week_of

KNOWN_SESSIONS: Final = 5
"""A user's usual sessions count as unknown until there are this many."""
MOST_BITS: Final = 10.0
"""One action is no evidence of a week, however high its points are."""


class EndedWeek(NamedTuple):
    """How far a week was from the user's habits, in standard deviations: the ``whole`` of it, and
    its ``strangest`` session, which other sessions of the week would hide in the whole. A session
    is at least 0; None: the usual sessions are not known."""

    whole: float
    strangest: float | None


def is_another_week(profile: Profile, at_ms: int) -> bool:
    """Returns whether an action is the user's first of a week; the first of all is not."""
    return profile.seen_ms > 0 and week_of(profile.seen_ms) < week_of(at_ms)


def ended_week(profile: Profile, at_ms: int) -> EndedWeek | None:
    """Returns the evidence of the week in which the user last played, when ``at_ms`` is in a later
    one; None before, and while the habits are not known.

    Evidence is how high the points of the actions were and what the sessions made, both against the
    user's own and with equal weight.
    """
    if not is_another_week(profile, at_ms) or not profile.week_spread:
        return None
    high = profile.week_bits / math.sqrt(profile.week_spread)
    totals, sessions = profile.week_totals, profile.week_sessions
    strangest = profile.week_strangest
    if starts_session(profile, at_ms) and profile.sessions >= KNOWN_SESSIONS:
        totals, sessions = totals + _session_deviation(profile), sessions + 1
        strangest = max(strangest, _session_evidence(profile))
    if not sessions:
        return EndedWeek(high, None)
    return EndedWeek((high + totals / math.sqrt(sessions)) / math.sqrt(2), strangest)


def forget_week(profile: Profile) -> None:
    """Begins another week."""
    profile.week_bits = profile.week_spread = profile.week_totals = profile.week_strangest = 0.0
    profile.week_sessions = 0


def note_points_of_week(profile: Profile, own: int, of: int) -> None:
    """Adds an accepted action, by the bucket of its points, that the histogram of points, of so
    many actions, does not have yet."""
    if of < 2 * KNOWN_ACTIONS:
        return
    counts, reached, mean, square, bits = profile.points, 0, 0.0, 0.0, None
    of_bucket = -math.log2(1 / (of + 2))
    for bucket in sorted(counts, reverse=True):
        count = counts[bucket]
        if bits is None and bucket < own:
            bits = of_bucket
        reached += count
        of_bucket = -math.log2((reached + 1) / (of + 2))
        mean += count * of_bucket
        square += count * of_bucket * of_bucket
        if bucket == own:
            bits = of_bucket
    mean /= of
    surprise = min(MOST_BITS, 0.0 if bits is None else bits) - mean
    spread = max(0.05, square / of - mean * mean)
    profile.week_bits += surprise
    profile.week_spread += spread
    profile.session_bits += surprise
    profile.session_spread += spread


def note_session_of_week(profile: Profile) -> None:
    """Adds the session that ends, before it is part of the usual ones."""
    if profile.sessions >= KNOWN_SESSIONS:
        profile.week_totals += _session_deviation(profile)
        profile.week_sessions += 1
        profile.week_strangest = max(profile.week_strangest, _session_evidence(profile))


def _session_deviation(profile: Profile) -> float:
    total = math.sqrt(max(0, profile.session_points))
    return (total - profile.session_mean) / math.sqrt(profile.session_variance + 0.25)


def _session_evidence(profile: Profile) -> float:
    spread = profile.session_spread
    high = profile.session_bits / math.sqrt(spread) if spread else 0.0
    return (high + _session_deviation(profile)) / math.sqrt(2)

"""How fast a user tries to act."""

from __future__ import annotations

import math
from typing import Final

from scoreboard.anomaly.memory.records import Profile

STEADY_TOLERANCE: Final = 0.01
"""Gaps within one percent of each other count as equal."""
STEADY_LONGEST_MS: Final = 3_600_000
RECENT_GAPS: Final = 4


def note_attempt(profile: Profile, at_ms: int) -> None:
    """Updates the tempo with an attempt, whether it is accepted or refused later.

    Actions may arrive late, so the gap to the last attempt counts in either direction of time.
    """
    if profile.attempt_ms:
        gap, gaps = abs(at_ms - profile.attempt_ms), profile.gaps_ms
        same = gaps and abs(gap - gaps[-1]) <= STEADY_TOLERANCE * gap and gap <= STEADY_LONGEST_MS
        profile.steady = profile.steady + 1 if same else 0
        profile.gaps_ms = [*gaps[1 - RECENT_GAPS :], gap]
        profile.actions_60 *= math.exp(-gap / 60_000)
        profile.actions_300 *= math.exp(-gap / 300_000)
    if at_ms > profile.attempt_ms:
        profile.attempt_ms = at_ms
    profile.actions_60 += 1.0
    profile.actions_300 += 1.0

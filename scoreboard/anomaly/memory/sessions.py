"""A user's sessions, and the points that each made in all."""

from __future__ import annotations

import math
from typing import Final

from scoreboard.anomaly.memory.records import Profile

SESSION_BREAK_MS: Final = 3 * 3_600_000
"""A session ends with three hours without an action: shorter breaks are meals, not nights."""
SESSIONS_MEMORY: Final = 40
"""From this many sessions on, older ones fade out of the mean and the variance."""


def starts_session(profile: Profile, at_ms: int) -> bool:
    """Returns whether an action comes after a break, or is the user's first."""
    return at_ms - profile.seen_ms >= SESSION_BREAK_MS


def close_session(profile: Profile) -> None:
    """Updates the usual total of a session, on a square-root scale, with the one that ended."""
    if profile.session_start_ms:
        total = math.sqrt(max(0, profile.session_points))
        profile.sessions += 1
        weight = 1 / min(profile.sessions, SESSIONS_MEMORY)
        difference = total - profile.session_mean
        profile.session_mean += weight * difference
        profile.session_variance = (1 - weight) * (
            profile.session_variance + weight * difference * difference
        )
    profile.session_points = 0
    profile.session_bits = profile.session_spread = 0.0
    profile.high_run = 0.0

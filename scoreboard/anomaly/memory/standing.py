"""How an action stands against its user's memory: what agents look at and learning needs again."""

from __future__ import annotations

import msgspec

from scoreboard.anomaly.memory.points import at_least, decayed_points, points_bucket
from scoreboard.anomaly.memory.records import Profile
from scoreboard.anomaly.memory.sessions import starts_session
from scoreboard.anomaly.memory.weeks import is_another_week
from scoreboard.domain.judging import Case


class Standing(msgspec.Struct, frozen=True, gc=False):
    """An action against what was accepted before it. ``recent_points`` are those of the last five
    minutes, where older ones count less. ``bucket`` is that of the action's points, ``reached`` how
    many of the user's remembered actions made as many or more, ``of`` the number of all
    remembered."""

    new_session: bool
    another_week: bool
    recent_points: float
    bucket: int
    reached: int
    of: int


def standing(profile: Profile, case: Case) -> Standing:
    """Computes it once, while the profile has not learned the action yet."""
    at_ms, bucket = case.at_ms, points_bucket(case.points)
    return Standing(
        starts_session(profile, at_ms),
        is_another_week(profile, at_ms),
        decayed_points(profile, at_ms),
        bucket,
        *at_least(profile, bucket),
    )

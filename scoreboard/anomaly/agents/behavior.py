"""The agent of how fast a user acts and how many points that makes."""

from __future__ import annotations

import math
from typing import Final

from scoreboard.anomaly.agent import Agent, Feature, Scene
from scoreboard.anomaly.memory.points import (
    at_least,
    decayed_points,
    high_run,
    points_bucket,
)
from scoreboard.anomaly.memory.sessions import starts_session
from scoreboard.anomaly.memory.tempo import RECENT_GAPS
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.judging import Reason

NAME: Final = "behavior"
POINTS_PRIOR: Final = 20.0
SESSIONS_PRIOR: Final = 5.0
"""The weight of the board's statistics, as a number of actions or sessions, against a user's own
history."""
LEAST_SHARE: Final = 1e-6
LONG_GAP_S: Final = 600.0


def haste(seconds: float) -> float:
    """Returns 0 for ten minutes or more, and the more the shorter the time is."""
    return max(0.0, math.log(LONG_GAP_S / max(0.01, seconds)))


def seconds_of(haste: float) -> float:
    """Returns the time, in seconds, that has this haste."""
    return LONG_GAP_S / math.exp(haste)


FEATURES: Final = (
    Feature("gap", "s", "acts too soon after the last", 0.0, seconds_of),
    Feature("last_five", "s", "made the last five actions too fast", 0.0, seconds_of),
    Feature("steady", "gaps", "acts at equal gaps"),
    Feature("actions_60", "actions", "acts too often in a minute"),
    Feature("actions_300", "actions", "acts too often in five minutes"),
    Feature("points_300", "points", "makes too many points in five minutes"),
    Feature("points", "bits", "makes more points than is usual for the user", 6.0),
    Feature("high_run", "bits", "keeps making more points than is usual for the user", weight=4.0),
    Feature("session_points", "deviations", "makes more points a session than usual", 5.0),
)


def look(scene: Scene) -> list[float] | None:
    """Needs the board's statistics, so a model."""
    board, profile, case = scene.board, scene.profile, scene.case
    if board is None:
        return None
    points = case.points
    gaps = profile.gaps_ms
    bucket = points_bucket(points)
    reached, of = at_least(profile, bucket)
    expected = POINTS_PRIOR * board.points_tail.get(bucket, LEAST_SHARE)
    share = (reached + expected) / (of + POINTS_PRIOR)
    new_session = starts_session(profile, case.at_ms)
    s = profile.sessions
    usual = s * profile.session_mean + SESSIONS_PRIOR * board.session_mean
    spread = s * profile.session_variance + SESSIONS_PRIOR * board.session_variance
    total = math.sqrt(max(0, points + (0 if new_session else profile.session_points)))
    of_session = (total - usual / (s + SESSIONS_PRIOR)) / math.sqrt(
        spread / (s + SESSIONS_PRIOR) + 1e-6
    )
    return [
        haste(gaps[-1] / 1000) if gaps else 0.0,
        haste(sum(gaps) / 1000) if len(gaps) == RECENT_GAPS else 0.0,
        float(profile.steady),
        profile.actions_60,
        profile.actions_300,
        max(0.0, decayed_points(profile, case.at_ms) + points),
        -math.log2(share),
        0.0 if new_session else high_run(profile, reached, of),
        max(0.0, of_session),
    ]


def rule(scene: Scene, row: list[float], rules: GateRules) -> Reason | None:
    """Refuses points outside the range of the training actions."""
    points, board = scene.case.points, scene.board
    if board is None or board.points_low <= points <= board.points_high:
        return None
    low, high = float(board.points_low), float(board.points_high)
    about = "makes points that no honest action makes"
    return Reason(NAME, "points", float(points), low, high, "points", about)


AGENT: Final = Agent(NAME, FEATURES, look, rule=rule)

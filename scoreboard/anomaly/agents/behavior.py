"""The agent of how fast a user acts and how many points that makes."""

from __future__ import annotations

import math
from typing import Final

from scoreboard.anomaly.agent import Agent, Feature, Scene
from scoreboard.anomaly.memory.points import high_run
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
    if seconds >= LONG_GAP_S:
        return 0.0
    return math.log(LONG_GAP_S / (seconds if seconds > 0.01 else 0.01))


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
    board, profile, stands = scene.board, scene.profile, scene.stands
    if board is None:
        return None
    points = scene.case.points
    gaps = profile.gaps_ms
    reached, of = stands.reached, stands.of
    expected = POINTS_PRIOR * board.points_tail.get(stands.bucket, LEAST_SHARE)
    share = (reached + expected) / (of + POINTS_PRIOR)
    new_session = stands.new_session
    s = profile.sessions
    usual = s * profile.session_mean + SESSIONS_PRIOR * board.session_mean
    spread = s * profile.session_variance + SESSIONS_PRIOR * board.session_variance
    total = points if new_session else points + profile.session_points
    of_session = (
        (math.sqrt(total) if total > 0 else 0.0) - usual / (s + SESSIONS_PRIOR)
    ) / math.sqrt(spread / (s + SESSIONS_PRIOR) + 1e-6)
    recent_points = stands.recent_points + points
    return [
        haste(gaps[-1] / 1000) if gaps else 0.0,
        haste(sum(gaps) / 1000) if len(gaps) == RECENT_GAPS else 0.0,
        float(profile.steady),
        profile.actions_60,
        profile.actions_300,
        recent_points if recent_points > 0.0 else 0.0,
        -math.log2(share),
        0.0 if new_session else high_run(profile, reached, of),
        of_session if of_session > 0.0 else 0.0,
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

"""The agent of when a user plays."""

from __future__ import annotations

import math
from typing import Final

from scoreboard.anomaly.agent import NEVER, Agent, Feature, Scene
from scoreboard.anomaly.memory.sessions import starts_session
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.judging import Case, Reason

NAME: Final = "time"
HOUR_PRIOR: Final = 20.0
"""The weight of the board's hours, as a number of actions, against a user's own."""
DAY_S: Final = 86_400
LONG_ABSENCE_DAYS: Final = 30.0

FEATURES: Final = (
    Feature("hour_of_user", "bits", "plays at an hour unusual for the user", 11.0),
    Feature("hour_of_board", "bits", "plays at an hour unusual for the board", NEVER),
    Feature("absence", "days", "comes back after an absence", NEVER, math.expm1),
    Feature("session", "hours", "plays without a break", 8.0),
)


def look(scene: Scene) -> list[float] | None:
    """Needs the board's statistics, so a model."""
    board, profile, at = scene.board, scene.profile, scene.case.at_ms
    if board is None:
        return None
    hour, hours = at // 3_600_000 % 24, profile.hours
    near = hours[hour - 1] + 2 * hours[hour] + hours[hour - 23]
    n = sum(hours)
    share = (near / 4 + HOUR_PRIOR * board.hour_share[hour]) / (n + HOUR_PRIOR)
    habit = n / (n + HOUR_PRIOR)
    away_s = (at - profile.seen_ms) / 1000 if profile.seen_ms else 0.0
    same_session = profile.seen_ms and not starts_session(profile, at)
    return [
        max(0.0, -math.log2(24 * share)) * habit,
        board.week_bits[(at // 3_600_000 + 72) % 168],
        math.log1p(min(LONG_ABSENCE_DAYS, max(0.0, away_s / DAY_S))),
        max(0, at - profile.session_start_ms) / 3_600_000 if same_session else 0.0,
    ]


def doubt(case: Case, rules: GateRules) -> Reason | None:
    """Refuses an action whose clock is too far from the server's."""
    ahead = case.at_ms - case.received_ms
    if ahead > rules.max_ahead_ms:
        limit = rules.max_ahead_ms / 1000
        return Reason(NAME, "clock", ahead / 1000, 0.0, limit, "s", "is from the future")
    if rules.max_age_ms is not None and -ahead > rules.max_age_ms:
        limit = rules.max_age_ms / 1000
        return Reason(NAME, "clock", ahead / 1000, -limit, 0.0, "s", "is from too long ago")
    return None


AGENT: Final = Agent(NAME, FEATURES, look, doubt=doubt)

"""The agent of when a user plays."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from scoreboard.anomaly.agent import NEVER, Agent, Feature, Scene
from scoreboard.anomaly.forest import Floats
from scoreboard.anomaly.memory.hours import had_time_to_object, hour_of_day, near
from scoreboard.anomaly.memory.records import KNOWN_ACTIONS
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.judging import Case, Reason

NAME: Final = "time"
HOUR_PRIOR: Final = 20.0
"""The weight of the board's hours, as a number of actions, against a user's own."""
ALONE_BITS: Final = 11.0
DAY_S: Final = 86_400
LONG_ABSENCE_DAYS: Final = 30.0

FEATURES: Final = (
    Feature("hour_of_user", "bits", "plays at an hour unusual for the user", ALONE_BITS),
    Feature("hour_of_board", "bits", "plays at an hour unusual for the board", NEVER),
    Feature("absence", "days", "comes back after an absence", NEVER, math.expm1),
    Feature("session", "hours", "plays without a break", 8.0),
)


def look(scene: Scene) -> list[float] | None:
    """Needs the board's statistics, so a model, and a user whose habits are known."""
    board, profile, at = scene.board, scene.profile, scene.case.at_ms
    if board is None or profile.actions < KNOWN_ACTIONS:
        return None
    hour, n = hour_of_day(at), sum(profile.hours)
    share = (near(profile, hour) / 4 + HOUR_PRIOR * board.hour_share[hour]) / (n + HOUR_PRIOR)
    surprise = max(0.0, -math.log2(24 * share)) * n / (n + HOUR_PRIOR)
    if surprise > ALONE_BITS and had_time_to_object(profile, at):
        surprise = 0.0
    away_s = (at - profile.seen_ms) / 1000 if profile.seen_ms else 0.0
    same_session = profile.seen_ms and not scene.stands.new_session
    return [
        surprise,
        board.bits_at(at),
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


def novelties(columns: dict[str, Floats], rng: np.random.Generator) -> None:
    """Makes sessions at hours of the week that are new to the user and quiet on the board."""
    n = len(columns["hour_of_user"])
    columns["hour_of_user"][:] = rng.uniform(0, ALONE_BITS, n)
    columns["hour_of_board"][:] = rng.uniform(0, columns["hour_of_board"].max(), n)


AGENT: Final = Agent(NAME, FEATURES, look, doubt=doubt, novelties=novelties)

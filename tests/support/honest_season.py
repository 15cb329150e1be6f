"""A small honest season, and the model that it makes."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import cache

from scoreboard.anomaly.model import Model
from scoreboard.anomaly.training import TrainingOptions, train
from scoreboard.domain.actions import ActionContext
from scoreboard.domain.judging import Case

HOUR, DAY = 3_600_000, 86_400_000
MONDAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
EVENING = MONDAY + 40 * DAY + 19 * HOUR  # after the season, in an hour in which everybody plays

LONDON = {"latitude": 51.51, "longitude": -0.13}
SYDNEY = {"latitude": -33.87, "longitude": 151.21}


def season(players: int = 30, days: int = 30, seed: int = 1) -> list[Case]:
    """Everybody plays most evenings from 18 to 21 UTC, 1 to 3 points every few minutes."""
    rng = random.Random(seed)
    cases = []
    for player in range(players):
        home = ActionContext(
            latitude=rng.uniform(36, 60),
            longitude=rng.uniform(-10, 30),
            device_id=f"phone-{player}",
            user_agent="Game/3",
        )
        for day in range(days):
            if rng.random() < 0.2:
                continue
            at = MONDAY + day * DAY + 18 * HOUR + rng.randrange(2 * HOUR)
            for _ in range(rng.randint(3, 8)):
                at += round(1000 * max(30.0, rng.lognormvariate(5.3, 0.7)))
                cases.append(Case(f"player-{player}", rng.randint(1, 3), at, at, home))
    return sorted(cases, key=lambda case: case.at_ms)


@cache
def honest_model() -> Model:
    """Small, so that it is made in moments."""
    return train(season(), TrainingOptions(seed=1, trees=40, samples=128, false_alarm_rate=0.002))


def moment(ms: int) -> str:
    """As ``occurredAt`` has it."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")

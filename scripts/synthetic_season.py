"""An honest season in miniature, for measurements and tests that have no real one at hand."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from scoreboard.domain.actions import ActionContext
from scoreboard.domain.judging import Case

HOUR = 3_600_000
DAY = 24 * HOUR
MONDAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)

LONDON = 51.51, -0.13, "GB"
PARIS = 48.86, 2.35, "FR"
SYDNEY = -33.87, 151.21, "AU"


def season(players: int = 60, days: int = 30, seed: int = 1) -> list[Case]:
    """Everybody plays most evenings from 18 to 23 UTC, minutes apart, from home and on an own
    phone; a few travel, a few buy a new phone."""
    rng = random.Random(seed)
    cases = []
    for player in range(players):
        home = rng.uniform(36, 60), rng.uniform(-10, 30), rng.choice(("GB", "FR", "DE"))
        phone, sharpshooter = f"phone-{player}", rng.random() < 0.5
        for day in range(days):
            if rng.random() < 0.2:
                continue
            if rng.random() < 0.01:
                phone = f"phone-{player}-{day}"
            place = (*PARIS[:2], "FR") if rng.random() < 0.03 else home
            at = MONDAY + day * DAY + 18 * HOUR + rng.randrange(2 * HOUR)
            for _ in range(rng.randint(3, 9)):
                at += round(1000 * max(20.0, rng.lognormvariate(5.5, 0.8)))
                points = rng.choices((1, 2, 3), (3, 6, 3) if sharpshooter else (4, 8, 0.2))[0]
                cases.append(Case(f"player-{player}", points, at, at, context(place, phone)))
    return sorted(cases, key=lambda case: case.at_ms)


def context(
    place: tuple[float, float, str] | None = LONDON,
    device: str | None = "phone",
    agent: str = "Game/3",
) -> ActionContext:
    if place is None:
        return ActionContext(device_id=device, user_agent=agent)
    return ActionContext(
        latitude=place[0],
        longitude=place[1],
        country=place[2],
        device_id=device,
        user_agent=agent,
    )

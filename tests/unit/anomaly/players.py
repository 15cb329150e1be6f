"""An honest season in miniature, and the player that the agents' tests are about."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

from scoreboard.anomaly.gate import Gate, GateRules
from scoreboard.domain.actions import ActionContext
from scoreboard.domain.judging import Case, Judgement

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


@dataclass
class Table:
    """A gate with its memory, and a clock: what a test sends actions to one by one."""

    gate: Gate
    now: int = MONDAY + 60 * DAY
    profiles: dict[str, bytes | None] = field(default_factory=dict)
    devices: dict[str, bytes | None] = field(default_factory=dict)

    def act(
        self, user: str = "ann", points: int = 2, after: float = 0.0, **where: object
    ) -> Judgement:
        """Judge an action ``after`` so many seconds and remember it."""
        self.now += round(1000 * after)
        case = Case(user, points, self.now, self.now, context(**where))  # type: ignore[arg-type]
        (judgement,) = self.gate.judge([case], self.profiles, self.devices)
        self.profiles[user] = judgement.profile_if_refused or judgement.profile
        if case.context and case.context.device_id:
            self.devices[case.context.device_id] = judgement.device
        return judgement

    def play_evenings(self, evenings: int, user: str = "ann", **where: object) -> None:
        """Ann's habit: eight actions an evening from 20:00 on, ones and twos, minutes apart."""
        rng = random.Random(7)
        for _ in range(evenings):
            self.now += DAY - (self.now - MONDAY) % DAY + 20 * HOUR
            for _ in range(8):
                judgement = self.act(user, rng.choice((1, 2, 2)), rng.uniform(90, 400), **where)
                assert not judgement.refused_by, judgement.reasons


def refusals(judgements: list[Judgement]) -> list[tuple[str, ...]]:
    return [judgement.refused_by for judgement in judgements]


ANY_AGE = GateRules(max_age_ms=None)

"""The player that the agents' tests are about."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.judging import Case, Judgement
from scripts.synthetic_season import DAY, HOUR, MONDAY, context


class Where(TypedDict, total=False):
    """Where an action comes from: the arguments of ``synthetic_season.context``."""

    place: tuple[float, float, str] | None
    device: str | None
    agent: str


@dataclass
class Table:
    """A gate with its memory, and a clock: what a test sends actions to one by one."""

    gate: Gate
    now: int = MONDAY + 60 * DAY
    profiles: dict[str, bytes | None] = field(default_factory=dict)
    devices: dict[str, bytes | None] = field(default_factory=dict)

    def act(
        self, user: str = "ann", points: int = 2, after: float = 0.0, **where: Unpack[Where]
    ) -> Judgement:
        """Judge an action ``after`` so many seconds and remember it."""
        self.now += round(1000 * after)
        case = Case(user, points, self.now, self.now, context(**where))
        (judgement,) = self.gate.judge([case], self.profiles, self.devices)
        self.profiles[user] = judgement.profile_if_refused or judgement.profile
        if case.context and case.context.device_id:
            self.devices[case.context.device_id] = judgement.device
        return judgement

    def play_evenings(self, evenings: int, user: str = "ann", **where: Unpack[Where]) -> None:
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

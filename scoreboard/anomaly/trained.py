"""An agent with what training made of it: its forest, its limits, the reasons that it gives."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from scoreboard.anomaly.agent import Agent
from scoreboard.anomaly.forest import Floats, Forest
from scoreboard.anomaly.model import AgentModel, UnusableModel
from scoreboard.domain.judging import Reason


class TrainedAgent:
    """A trained agent, ready to judge rows of its features. Raises UnusableModel when it was
    trained on other features than the agent has now."""

    def __init__(self, agent: Agent, model: AgentModel) -> None:
        known = [feature.name for feature in agent.features]
        if known != [usual.name for usual in model.features]:
            raise UnusableModel(
                f"The model's agent {agent.name!r} has other features than this version has; "
                "train again."
            )
        self.name = agent.name
        self.features = agent.features
        self.threshold = model.threshold
        self.forest = Forest(model.trees)
        self._typical = np.array([r.typical for r in model.features])
        # A model from before the edge of the plausible was moved is not stricter than it.
        self._limit_of = [
            math.inf if usual.limit is None else max(usual.limit, feature.alone)
            for feature, usual in zip(self.features, model.features, strict=True)
        ]
        self._limits = np.array(self._limit_of)
        # To most agents most actions have nothing unusual: the forest is asked once for all.
        self._calm = self._judge([[0.0] * len(self.features)])[0]
        self._usual = [
            sorted((feature.shown(usual.low), feature.shown(usual.high)))
            for feature, usual in zip(self.features, model.features, strict=True)
        ]

    def suspicions(self, rows: list[list[float]]) -> list[float]:
        """For each row, the forest's score divided by its threshold; above 1 means refused. A value
        over its limit raises the result above 1 as well."""
        unusual = [row for row in rows if any(row)]
        judged = iter(self._judge(unusual) if unusual else ())
        return [next(judged) if any(row) else self._calm for row in rows]

    def refused(self, rows: list[list[float]]) -> list[bool]:
        """Whether each row's suspicion is above 1. The forest is not asked about a row that has a
        value over its limit."""
        calm = self._calm > 1.0
        unusual = [row for row in rows if any(row)]
        if not unusual:
            return [calm] * len(rows)
        values = np.array(unusual)
        worst = self._beyond(values)
        if worst is None:
            refused = self.forest.score(values) / self.threshold > 1.0
        else:
            refused = worst > 1.0
            if not refused.all():
                asked = ~refused
                refused[asked] = self.forest.score(values[asked]) / self.threshold > 1.0
        answers: Iterator[bool] = iter(refused.tolist())
        return [next(answers) if any(row) else calm for row in rows]

    def _judge(self, rows: list[list[float]]) -> list[float]:
        values = np.array(rows)
        scores = self.forest.score(values) / self.threshold
        if (worst := self._beyond(values)) is not None:
            lifted = np.maximum(scores, 1.0) + 0.1 * np.clip(worst - 1.0, 1e-6, 1.0)
            scores = np.where(worst > 1.0, lifted, scores)
        suspicions: list[float] = scores.tolist()
        return suspicions

    def _beyond(self, values: Floats) -> Floats | None:
        """How many times its limit the worst value of each row is; None when no limit is
        exceeded."""
        if not (values > self._limits).any():
            return None
        worst: Floats = (values / self._limits).max(axis=1)
        return worst

    def reasons(self, row: list[float]) -> list[Reason]:
        """The values above their limits; without any, the one feature whose usual value would lower
        the score the most."""
        beyond = [i for i, limit in enumerate(self._limit_of) if row[i] > limit]
        if not beyond:
            variants = np.tile(np.array(row), (len(row), 1))
            np.fill_diagonal(variants, np.minimum(row, self._typical))
            beyond = [int(self.forest.score(variants).argmin())]
        return [self._reason(i, row[i]) for i in beyond]

    def _reason(self, i: int, value: float) -> Reason:
        feature, (low, high) = self.features[i], self._usual[i]
        shown = feature.shown(value)
        return Reason(self.name, feature.name, shown, low, high, feature.unit, feature.about)

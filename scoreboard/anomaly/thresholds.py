"""Finds an agent's limits and its forest's threshold for a wanted share of refusals."""

from __future__ import annotations

from typing import Final

import numpy as np

from scoreboard.anomaly.agent import Agent
from scoreboard.anomaly.forest import Floats, Forest, Trees
from scoreboard.anomaly.model import AgentModel, FeatureRange

LIMITS_SHARE: Final = 0.9
"""The part of the wanted refusals that comes from the limits; the rest comes from the forest."""


class FittedAgent:
    """An agent's forest and its scores of the training rows, before thresholds are chosen."""

    def __init__(self, agent: Agent, rows: Floats, novel: Floats, trees: Trees) -> None:
        self._features = agent.features
        self._rows = rows
        self._ordered = np.sort(rows, axis=0)
        self._plausible = np.array([feature.alone for feature in self._features])
        self._weights = np.array([feature.weight for feature in self._features])
        self._trees = trees
        forest = Forest(trees)
        self._scores = forest.score(rows)
        # The forest has to approve every plausible novelty.
        self._least = float(forest.score(novel).max()) if len(novel) else 0.0
        self._usual = np.quantile(rows, [0.005, 0.5, 0.995], axis=0)

    def with_thresholds(self, share: float) -> AgentModel:
        """Returns the agent that refuses about ``share`` of the training rows, each judged by
        itself."""
        limits = self._limits(share * LIMITS_SHARE)
        beyond = (self._rows > limits).any(axis=1)
        scores = np.sort(self._scores[~beyond])
        spare = round(share * (1 - LIMITS_SHARE) * len(self._rows))
        low, typical, high = self._usual.tolist()
        ranges = [
            FeatureRange(
                feature.name,
                low[i],
                typical[i],
                high[i],
                float(limits[i]) if np.isfinite(limits[i]) else None,
            )
            for i, feature in enumerate(self._features)
        ]
        return AgentModel(ranges, max(self._least, float(scores[-1 - spare])), self._trees)

    def _limits(self, share: float) -> Floats:
        """Returns limits that together refuse at most ``share``; the tail that each feature's limit
        cuts off is proportional to the feature's weight."""
        strict, lax = 0.0, share
        for _ in range(20):
            tail = (strict + lax) / 2
            if (self._rows > self._at_tail(tail)).any(axis=1).mean() <= share:
                strict = tail
            else:
                lax = tail
        return self._at_tail(strict)

    def _at_tail(self, tail: float) -> Floats:
        n, columns = self._ordered.shape
        ranks = np.minimum((tail * self._weights * n).astype(int), n - 1)
        extreme = self._ordered[n - 1 - ranks, np.arange(columns)]
        limits: Floats = np.maximum(np.maximum(extreme, self._plausible), 1e-6)
        return limits

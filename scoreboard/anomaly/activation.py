"""Whether a new model may be put in force without a person: what it would have refused lately."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.replay import Progress, play, silent
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.judging import Case
from scoreboard.domain.weeks import WEEK_MS


class LastWeek(msgspec.Struct, frozen=True):
    """What a model refuses of the ``actions`` of the last week, all of which count: ``refused`` is
    their share, ``allowed`` that of all agents together by the model's false-alarm rate."""

    actions: int
    refused: float
    allowed: float

    @property
    def too_many(self) -> bool:
        """Whether that is more than the rate allows, and more than chance explains."""
        expected = self.allowed * self.actions
        return self.refused * self.actions > expected + 3 * math.sqrt(expected) + 1


def last_week(model: Model, cases: Sequence[Case], progress: Progress = silent) -> LastWeek:
    """Plays ``cases``, in order of time and at least one, through the model's gate and measures
    the last week of them; those before only make the memories."""
    played = play(Gate(model, GateRules(max_age_ms=None)), cases, progress, "last week")
    recent = np.array([case.at_ms for case in cases]) > cases[-1].at_ms - WEEK_MS
    return LastWeek(
        actions=int(recent.sum()),
        refused=float(played.refused[recent].mean()),
        allowed=model.training.false_alarm_rate * len(model.agents),
    )

"""Measures a model on what a board's ledger has, with people's decisions as labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from scoreboard.anomaly.evaluation import Labelled
from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.model import Model
from scoreboard.anomaly.replay import Played, Progress, part, play, silent
from scoreboard.anomaly.rules import GateRules
from scoreboard.domain.judging import Case

MEMORY_MS: Final = 60 * 86_400_000
"""What came so long before is played too, for the memories that it makes."""

CHEAT: Final = "confirmed"
UNDECIDED: Final = "undecided"


def play_decided(
    model: Model,
    cases: Sequence[Case],
    verdicts: Sequence[str],
    since_ms: int,
    progress: Progress = silent,
) -> tuple[list[Labelled], Played]:
    """Plays ``cases``, in order of time, through the gate. Returns those from ``since_ms`` on that
    count or were decided, as labelled rows, and the answers to them."""
    played = play(Gate(model, GateRules(max_age_ms=None)), cases, progress)
    rows = [
        Labelled(case, int(verdict == CHEAT), verdict)
        for case, verdict in zip(cases, verdicts, strict=True)
    ]
    chosen = [row.case.at_ms >= since_ms and row.kind != UNDECIDED for row in rows]
    kept = [row for row, is_chosen in zip(rows, chosen, strict=True) if is_chosen]
    return kept, part(played, np.array(chosen, bool))

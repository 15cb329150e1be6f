"""Plays a stream of actions through a gate and keeps the memories as the service does."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from scoreboard.anomaly import agents
from scoreboard.anomaly.gate import Gate
from scoreboard.domain.judging import Case

BATCH: Final = 512
FIRST_ACTIONS: Final = 10

Flags = npt.NDArray[np.bool_]
Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) as work goes on."""


def silent(stage: str, done: int, total: int) -> None:
    """No progress report."""


class Played(msgspec.Struct, frozen=True):
    """The gate's answers to n actions: ``scores`` (n, agents), 0 where an agent abstained;
    ``refused`` (n); ``first`` (n), true for a user's first ten actions; ``noted`` (n), true where
    an action that counts made a case of the user's week before. ``seconds`` is CPU time."""

    scores: npt.NDArray[np.float64]
    refused: Flags
    first: Flags
    noted: Flags
    seconds: float


def part(played: Played, chosen: Flags) -> Played:
    """The answers to some of the actions, with their share of the time."""
    share = float(chosen.mean()) if len(chosen) else 0.0
    return Played(
        played.scores[chosen],
        played.refused[chosen],
        played.first[chosen],
        played.noted[chosen],
        share * played.seconds,
    )


def play(
    gate: Gate, cases: Sequence[Case], progress: Progress = silent, stage: str = "gate"
) -> Played:
    """Judges ``cases`` (sorted by time) in batches, in mode ``reject``."""
    profiles: dict[str, bytes | None] = {}
    devices: dict[str, bytes | None] = {}
    seen: defaultdict[str, int] = defaultdict(int)
    names = agents.names()
    scores = np.zeros((len(cases), len(names)))
    refused, first = np.zeros(len(cases), bool), np.zeros(len(cases), bool)
    noted = np.zeros(len(cases), bool)
    spent = 0.0
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        began = time.process_time()
        judgements = gate.judge(batch, profiles, devices)
        spent += time.process_time() - began
        for i, (case, judgement) in enumerate(zip(batch, judgements, strict=True), start):
            scores[i] = [judgement.scores[name] or 0.0 for name in names]
            refused[i] = bool(judgement.refused_by)
            noted[i] = bool(judgement.noted)
            first[i] = seen[case.user_id] < FIRST_ACTIONS
            seen[case.user_id] += 1
            profiles[case.user_id] = judgement.profile_if_refused or judgement.profile
            if case.context and case.context.device_id and judgement.device is not None:
                devices[case.context.device_id] = judgement.device
        progress(stage, min(start + BATCH, len(cases)), len(cases))
    return Played(scores, refused, first, noted, spent)

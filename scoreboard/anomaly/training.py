"""Train a model from honest actions: offline, seeded, never on the event loop.

Needs scikit-learn (extra ``train``), which serving does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from scoreboard.anomaly.cases import Case
from scoreboard.anomaly.features import (
    AGENTS,
    FEATURES,
    BoardStatistics,
    behavior_features,
    device_features,
    location_features,
    time_features,
)
from scoreboard.anomaly.forest import Floats, Forest, take_trees
from scoreboard.anomaly.model import AgentModel, FeatureRange, Model, TrainingRecord
from scoreboard.anomaly.profile import (
    SESSION_BREAK_S,
    DeviceRecord,
    Profile,
    note_acceptance,
    note_account,
    note_attempt,
    on_log_scale,
)
from scoreboard.errors import InvalidRequest

LEAST_ACTIONS: Final = 1_000
LIMITS_SHARE: Final = 0.5
"""The part of the false-alarm rate that goes to the limits, the rest to the forest."""
NOVELTY_SHARE: Final = 0.01
NOVELTY_ACCEPTED: Final = 0.99
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """``false_alarm_rate`` is the share of honest actions that each agent may refuse."""

    seed: int = 0
    false_alarm_rate: float = 0.001
    trees: int = 100
    samples: int = 256


def train(
    cases: Sequence[Case],
    options: TrainingOptions | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Model:
    """Train on the board's accepted actions in the order of time.

    ``progress`` is told (stage, done, total). Deterministic: the same cases and options make the
    same bytes. Raises ``InvalidRequest`` for fewer than ``LEAST_ACTIONS`` cases.
    """
    options = options or TrainingOptions()
    if len(cases) < LEAST_ACTIONS:
        raise InvalidRequest(f"{len(cases)} actions are too few to train on: {LEAST_ACTIONS}.")
    board = board_statistics(cases)
    rows = gather_features(cases, board, progress)
    rng = np.random.default_rng(options.seed)
    agents: dict[str, AgentModel] = {}
    refused: dict[str, float] = {}
    for done, name in enumerate(AGENTS):
        progress("forests", done, len(AGENTS))
        if len(rows[name]) >= LEAST_ACTIONS:
            agents[name], refused[name] = _train_agent(name, rows[name], options, rng)
    progress("forests", len(AGENTS), len(AGENTS))
    record = TrainingRecord(
        first_ms=cases[0].at_ms,
        last_ms=cases[-1].at_ms,
        actions=len(cases),
        users=len({case.user_id for case in cases}),
        seed=options.seed,
        false_alarm_rate=options.false_alarm_rate,
        refused=refused,
    )
    return Model(board=board, agents=agents, training=record)


def board_statistics(cases: Sequence[Case]) -> BoardStatistics:
    """Histograms of hours and the usual points of an action and of a session."""
    at = np.array([case.at_ms for case in cases]) // 3_600_000
    week = np.bincount((at + 72) % 168, minlength=168).astype(np.float64)
    day = np.bincount(at % 24, minlength=24).astype(np.float64)
    week = (np.roll(week, 1) + 2 * week + np.roll(week, -1)) / 4 + 0.5
    day = (np.roll(day, 1) + 2 * day + np.roll(day, -1)) / 4 + 0.5
    points = np.array([on_log_scale(case.points) for case in cases])
    totals = np.sqrt(np.maximum(_session_totals(cases), 0))
    return BoardStatistics(
        week_bits=np.maximum(0.0, -np.log2(168 * week / week.sum())).tolist(),
        hour_share=(day / day.sum()).tolist(),
        points_low=min(case.points for case in cases),
        points_high=max(case.points for case in cases),
        points_mean=float(points.mean()),
        points_variance=float(points.var()),
        session_mean=float(totals.mean()),
        session_variance=float(totals.var()),
    )


def _session_totals(cases: Sequence[Case]) -> npt.NDArray[np.int64]:
    totals: list[int] = []
    current: dict[str, tuple[int, int]] = {}
    for case in cases:
        seen_ms, total = current.get(case.user_id, (0, 0))
        if seen_ms and case.at_ms - seen_ms >= SESSION_BREAK_S * 1000:
            totals.append(total)
            total = 0
        current[case.user_id] = case.at_ms, total + case.points
    return np.array(totals + [total for _, total in current.values()])


def gather_features(
    cases: Sequence[Case], board: BoardStatistics, progress: Progress
) -> dict[str, Floats]:
    """Each agent's rows over the whole stream, every action folded as the gate would."""
    rows: dict[str, list[list[float]]] = {name: [] for name in AGENTS}
    profiles: dict[str, Profile] = {}
    records: dict[str, DeviceRecord] = {}
    for done, case in enumerate(cases):
        profile = profiles.setdefault(case.user_id, Profile())
        device_id = case.context.device_id if case.context else None
        note_attempt(profile, case)
        rows["time"].append(time_features(profile, case, board))
        rows["behavior"].append(behavior_features(profile, case, board))
        if (location := location_features(profile, case)) is not None:
            rows["location"].append(location)
        if device_id is not None:
            record = records.setdefault(device_id, DeviceRecord())
            if (device := device_features(profile, case, record)) is not None:
                rows["device"].append(device)
            note_account(record, case)
        note_acceptance(profile, case)
        if done % 5_000 == 0:
            progress("features", done, len(cases))
    progress("features", len(cases), len(cases))
    return {name: np.array(own) for name, own in rows.items()}


def _train_agent(
    name: str, rows: Floats, options: TrainingOptions, rng: np.random.Generator
) -> tuple[AgentModel, float]:
    from sklearn.ensemble import IsolationForest

    rate, features = options.false_alarm_rate, FEATURES[name]
    plausible = np.array([feature.alone for feature in features])
    each = rate * LIMITS_SHARE / np.isfinite(plausible).sum()
    extreme = np.quantile(rows, 1 - each, axis=0, method="higher")
    limits = np.maximum(np.maximum(extreme, plausible), 1e-6)
    novel = plausible_novelties(name, rows, rng)
    fitted = IsolationForest(
        n_estimators=options.trees,
        max_samples=min(options.samples, len(rows)),
        random_state=int(rng.integers(2**31)),
    ).fit(np.vstack([rows, novel]))
    forest = Forest(take_trees(fitted))
    within = (rows <= limits).all(axis=1)
    scores = np.sort(forest.score(rows[within]))
    spare = max(0, round(rate * len(rows)) - int((~within).sum()))
    threshold = float(scores[-1 - spare])
    if len(novel):
        threshold = max(threshold, float(np.quantile(forest.score(novel), NOVELTY_ACCEPTED)))
    refused = ((~within).sum() + (scores > threshold).sum()) / len(rows)
    low, typical, high = np.quantile(rows, [0.005, 0.5, 0.995], axis=0)
    ranges = [
        FeatureRange(
            feature.name,
            float(low[i]),
            float(typical[i]),
            float(high[i]),
            float(limits[i]) if np.isfinite(limits[i]) else None,
        )
        for i, feature in enumerate(features)
    ]
    return AgentModel(ranges, threshold, forest.trees), float(refused)


def plausible_novelties(name: str, rows: Floats, rng: np.random.Generator) -> Floats:
    """Copies of some rows with one thing new in each: a first trip, a first new phone, an update.

    A season may hold too few of them for a forest to learn that they are ordinary.
    """
    copies = rows[rng.integers(len(rows), size=round(len(rows) * NOVELTY_SHARE))].copy()
    columns = {feature.name: i for i, feature in enumerate(FEATURES[name])}
    if name == "location":
        far = np.log1p(np.exp(rng.uniform(np.log(100), np.log(15_000), len(copies))))
        copies[:, columns["speed"]] = np.log1p(rng.uniform(0, 700, len(copies)))
        copies[:, columns["from_known"]] = copies[:, columns["from_home"]] = far
        copies[:, columns["new_country"]] = rng.integers(0, 2, len(copies))
    elif name == "device":
        phone = rng.random(len(copies)) < 0.5
        copies[:, columns["new_far_away"]] = 0.0
        copies[phone, columns["new_devices"]] = np.log1p(1)
        copies[~phone, columns["agent_change"]] = 1.0
    else:
        return rows[:0]
    return copies

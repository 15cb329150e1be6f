"""Trains a model from honest actions: offline, seeded, never on the event loop.

Needs scikit-learn (extra ``train``), which serving does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from scoreboard.anomaly.features import (
    AGENTS,
    FEATURES,
    PLAUSIBLE_KMH,
    BoardStatistics,
    behavior_features,
    device_features,
    location_features,
    time_features,
)
from scoreboard.anomaly.forest import Floats, Trees, take_trees
from scoreboard.anomaly.gate import Gate, GateRules
from scoreboard.anomaly.model import AgentModel, Model, TrainingRecord
from scoreboard.anomaly.profile import (
    SESSION_BREAK_S,
    DeviceRecord,
    Profile,
    note_acceptance,
    note_account,
    note_attempt,
    points_bucket,
)
from scoreboard.anomaly.replay import Progress, play, silent
from scoreboard.anomaly.thresholds import FittedAgent
from scoreboard.domain.judging import Case
from scoreboard.errors import InvalidRequest

LEAST_ACTIONS: Final = 1_000
NOVELTY_SHARE: Final = 0.01
OTHER_DAYS: Final = 0.1
CALIBRATIONS: Final = 4
MOST_SHARE: Final = 1.5


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
    progress: Progress = silent,
) -> Model:
    """Trains on the board's accepted actions, in order of time.

    Deterministic: the same cases and options give the same bytes. Raises ``InvalidRequest`` for
    fewer than ``LEAST_ACTIONS`` cases.
    """
    options = options or TrainingOptions()
    if len(cases) < LEAST_ACTIONS:
        raise InvalidRequest(f"Training needs at least {LEAST_ACTIONS} actions; got {len(cases)}.")
    board = board_statistics(cases)
    rows = gather_features(cases, board, progress)
    rng = np.random.default_rng(options.seed)
    fitted: dict[str, FittedAgent] = {}
    for done, name in enumerate(AGENTS):
        progress("forests", done, len(AGENTS))
        if len(rows[name]) >= LEAST_ACTIONS:
            novel = plausible_novelties(name, rows[name], rng)
            trees = _fit(rows[name], novel, options, int(rng.integers(2**31)))
            fitted[name] = FittedAgent(name, rows[name], novel, trees)
    progress("forests", len(AGENTS), len(AGENTS))
    record = TrainingRecord(
        first_ms=cases[0].at_ms,
        last_ms=cases[-1].at_ms,
        actions=len(cases),
        users=len({case.user_id for case in cases}),
        seed=options.seed,
        false_alarm_rate=options.false_alarm_rate,
        refused={},
    )
    return calibrate(cases, board, fitted, record, progress)


def calibrate(
    cases: Sequence[Case],
    board: BoardStatistics,
    fitted: dict[str, FittedAgent],
    record: TrainingRecord,
    progress: Progress,
) -> Model:
    """Chooses the thresholds so that each agent refuses the wanted share when the gate runs.

    The profile learns nothing from a refused honest action, so the next one looks strange too.
    Thresholds chosen for each action alone would therefore refuse more than the wanted share. So
    the training stream is played through the gate several times, the shares are corrected after
    each time, and the best result of each agent is kept.
    """
    wanted = record.false_alarm_rate
    shares = dict.fromkeys(fitted, wanted)
    chosen: dict[str, AgentModel] = {}
    refused: dict[str, float] = {}
    for turn in range(CALIBRATIONS):
        agents = {name: agent.with_thresholds(shares[name]) for name, agent in fitted.items()}
        gate = Gate(Model(board=board, agents=agents, training=record), GateRules(max_age_ms=None))
        played = play(gate, cases, progress, f"calibration {turn + 1}")
        measured = dict(zip(AGENTS, (played.scores > 1.0).mean(axis=0).tolist(), strict=True))
        for name, share in shares.items():
            now, best = measured[name], refused.get(name)
            better = best is None or (best < now <= wanted) or (now < best and best > wanted)
            if better:
                chosen[name], refused[name] = agents[name], now
            step = wanted / max(now, wanted / 2)
            shares[name] = min(MOST_SHARE * wanted, share * max(0.2, step))
    record = msgspec.structs.replace(record, refused=refused)
    return Model(board=board, agents=chosen, training=record)


def board_statistics(cases: Sequence[Case]) -> BoardStatistics:
    """Returns the histograms of hours and the usual points of an action and of a session."""
    hours = np.array([case.at_ms for case in cases]) // 3_600_000
    day = _smooth(np.bincount(hours % 24, minlength=24))
    week = _smooth(np.bincount((hours + 72) % 168, minlength=168))
    # An hour with play on other days of the week is less odd than one that is never played.
    week = (1 - OTHER_DAYS) * week + OTHER_DAYS * np.tile(day, 7) / 7
    buckets = np.array([points_bucket(case.points) for case in cases])
    totals = np.sqrt(np.maximum(_session_totals(cases), 0))
    return BoardStatistics(
        week_bits=np.maximum(0.0, -np.log2(168 * week)).tolist(),
        hour_share=day.tolist(),
        points_low=min(case.points for case in cases),
        points_high=max(case.points for case in cases),
        points_tail={
            bucket: float((buckets >= bucket).mean())
            for bucket in range(int(buckets.min()), int(buckets.max()) + 1)
        },
        session_mean=float(totals.mean()),
        session_variance=float(totals.var()),
    )


def _smooth(counts: npt.NDArray[np.int64]) -> Floats:
    """Returns the share of each hour, smoothed over its neighbours; none is zero."""
    spread = (np.roll(counts, 1) + 2 * counts + np.roll(counts, -1)) / 4 + 0.5
    shares: Floats = spread / spread.sum()
    return shares


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
    """Returns each agent's rows for the whole stream; the profiles learn every action as in the
    gate."""
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


def _fit(rows: Floats, novel: Floats, options: TrainingOptions, seed: int) -> Trees:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(
        n_estimators=options.trees,
        max_samples=min(options.samples, len(rows)),
        random_state=seed,
    )
    return take_trees(forest.fit(np.vstack([rows, novel])))


def plausible_novelties(name: str, rows: Floats, rng: np.random.Generator) -> Floats:
    """Returns copies of some rows with one novelty in each: a trip, a new phone or an update.

    A season may have too few of these for a forest to learn that they are ordinary.
    """
    copies = rows[rng.integers(len(rows), size=round(len(rows) * NOVELTY_SHARE))].copy()
    columns = {feature.name: i for i, feature in enumerate(FEATURES[name])}
    if name == "location":
        far = np.log1p(np.exp(rng.uniform(np.log(100), np.log(15_000), len(copies))))
        copies[:, columns["speed"]] = np.log1p(rng.uniform(0, PLAUSIBLE_KMH, len(copies)))
        copies[:, columns["from_known"]] = copies[:, columns["from_home"]] = far
        copies[:, columns["new_country"]] = rng.integers(0, 2, len(copies))
        copies[:, columns["all_new"]] = 0.0
    elif name == "device":
        phone = rng.random(len(copies)) < 0.5
        copies[phone, columns["new_devices"]] = np.log1p(1)
        copies[~phone, columns["agent_change"]] = 1.0
    else:
        return rows[:0]
    return copies

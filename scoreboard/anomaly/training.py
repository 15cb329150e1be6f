"""Trains a model from honest actions: offline, seeded, never on the event loop.

Needs scikit-learn (extra ``train``), which serving does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from scoreboard.anomaly import agents
from scoreboard.anomaly.agent import Agent, Scene
from scoreboard.anomaly.board import BoardStatistics, board_statistics
from scoreboard.anomaly.forest import Floats, Trees, take_trees
from scoreboard.anomaly.gate import Gate
from scoreboard.anomaly.memory.devices import note_account
from scoreboard.anomaly.memory.learning import note_acceptance
from scoreboard.anomaly.memory.records import DeviceRecord, Profile
from scoreboard.anomaly.memory.standing import standing
from scoreboard.anomaly.memory.tempo import note_attempt
from scoreboard.anomaly.memory.weeks import EndedWeek, ended_week
from scoreboard.anomaly.model import AgentModel, Model, TrainingRecord
from scoreboard.anomaly.replay import Progress, play, silent
from scoreboard.anomaly.rules import GateRules
from scoreboard.anomaly.thresholds import FittedAgent
from scoreboard.domain.judging import Case
from scoreboard.errors import InvalidRequest

LEAST_ACTIONS: Final = 1_000
NOVELTY_SHARE: Final = 0.01
"""Novelties that a forest is fitted to, as a share of its rows."""
LEAST_NOVELTIES: Final = 4_000
"""Novelties that a forest has to approve of, at least: enough to find every corner of them."""
WEEKS_SHARE: Final = 0.01
SESSIONS_SHARE: Final = 0.025
"""The shares of users' honest weeks that become a case, for the whole of them and for a session.
Many are the same weeks: together they are less than 3%."""
LEAST_WEEKS: Final = 100
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

    Deterministic: the same cases and options give the same bytes. An agent that abstains from all
    but fewer than ``LEAST_ACTIONS`` cases is left out. Raises ``InvalidRequest`` for fewer cases
    than that.
    """
    options = options or TrainingOptions()
    if len(cases) < LEAST_ACTIONS:
        raise InvalidRequest(f"Training needs at least {LEAST_ACTIONS} actions; got {len(cases)}.")
    board = board_statistics(cases)
    rows, weeks = gather_features(cases, board, progress)
    rng = np.random.default_rng(options.seed)
    fitted: dict[str, FittedAgent] = {}
    synthetic: dict[str, int] = {}
    registered = agents.REGISTERED
    for done, agent in enumerate(registered):
        progress("forests", done, len(registered))
        own = rows[agent.name]
        if len(own) >= LEAST_ACTIONS:
            novel = plausible_novelties(agent, own, rng)
            shown = novel[: round(len(own) * NOVELTY_SHARE)]
            trees = _fit(own, shown, options, int(rng.integers(2**31)))
            fitted[agent.name] = FittedAgent(agent, own, novel, trees)
            synthetic[agent.name] = len(shown)
    progress("forests", len(registered), len(registered))
    record = TrainingRecord(
        first_ms=cases[0].at_ms,
        last_ms=cases[-1].at_ms,
        actions=len(cases),
        users=len({case.user_id for case in cases}),
        seed=options.seed,
        false_alarm_rate=options.false_alarm_rate,
        refused={},
        synthetic={name: rows for name, rows in synthetic.items() if rows},
    )
    model = calibrate(cases, board, fitted, record, progress)
    return msgspec.structs.replace(
        model,
        week_limit=_week_limit([week.whole for week in weeks], WEEKS_SHARE),
        session_limit=_week_limit(
            [week.strangest for week in weeks if week.strangest is not None], SESSIONS_SHARE
        ),
    )


def _week_limit(evidence: list[float], share: float) -> float | None:
    """What ``share`` of the weeks exceed; None for too few weeks."""
    return float(np.quantile(evidence, 1 - share)) if len(evidence) >= LEAST_WEEKS else None


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
        tried = {name: agent.with_thresholds(shares[name]) for name, agent in fitted.items()}
        gate = Gate(Model(board=board, agents=tried, training=record), GateRules(max_age_ms=None))
        played = play(gate, cases, progress, f"calibration {turn + 1}")
        by_agent = (played.scores > 1.0).mean(axis=0).tolist()
        measured = dict(zip(agents.names(), by_agent, strict=True))
        for name, share in shares.items():
            now, best = measured[name], refused.get(name)
            better = best is None or (best < now <= wanted) or (now < best and best > wanted)
            if better:
                chosen[name], refused[name] = tried[name], now
            step = wanted / max(now, wanted / 2)
            shares[name] = min(MOST_SHARE * wanted, share * max(0.2, step))
    record = msgspec.structs.replace(record, refused=refused)
    return Model(board=board, agents=chosen, training=record)


def gather_features(
    cases: Sequence[Case], board: BoardStatistics, progress: Progress
) -> tuple[dict[str, Floats], list[EndedWeek]]:
    """Returns each agent's rows for the whole stream, and the evidence of all users' weeks; the
    profiles learn every action as in the gate."""
    weeks: list[EndedWeek] = []
    rows: dict[str, list[list[float]]] = {name: [] for name in agents.names()}
    profiles: dict[str, Profile] = {}
    records: dict[str, DeviceRecord] = {}
    for done, case in enumerate(cases):
        profile = profiles.setdefault(case.user_id, Profile())
        device_id = case.context.device_id if case.context else None
        record = None if device_id is None else records.setdefault(device_id, DeviceRecord())
        note_attempt(profile, case.at_ms)
        stands = standing(profile, case)
        scene = Scene(case, profile, stands, record, board)
        for agent in agents.REGISTERED:
            if (row := agent.look(scene)) is not None:
                rows[agent.name].append(row)
        if record is not None:
            note_account(record, case)
        if (week := ended_week(profile, case.at_ms)) is not None:
            weeks.append(week)
        note_acceptance(profile, case, stands)
        if done % 5_000 == 0:
            progress("features", done, len(cases))
    progress("features", len(cases), len(cases))
    return {name: np.array(own) for name, own in rows.items()}, weeks


def _fit(rows: Floats, novel: Floats, options: TrainingOptions, seed: int) -> Trees:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(
        n_estimators=options.trees,
        max_samples=min(options.samples, len(rows)),
        random_state=seed,
    )
    return take_trees(forest.fit(np.vstack([rows, novel])))


def plausible_novelties(agent: Agent, rows: Floats, rng: np.random.Generator) -> Floats:
    """Returns copies of some of the agent's rows with one novelty in each; none for an agent that
    has no novelties."""
    size = max(LEAST_NOVELTIES, round(len(rows) * NOVELTY_SHARE))
    copies = rows[rng.integers(len(rows), size=size)].copy()
    if agent.novelties is None:
        return rows[:0]
    agent.novelties({f.name: copies[:, i] for i, f in enumerate(agent.features)}, rng)
    return copies
